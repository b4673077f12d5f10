/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The screen: a table that fits 80x24, with htop's keys. Handlers only set flags. */
#include <errno.h>
#include <math.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/common/report.h"
#include "tools/iovtop/iovtop.h"
#include "util.h"

enum column_id {
        COL_NAME,
        COL_SERVER,
        COL_SLOT,
        COL_ADAPTER,
        COL_STATE,
        COL_READS,
        COL_WRITES,
        COL_READ_RATE,
        COL_WRITE_RATE,
        COL_QUEUE,
        COL_LATENCY,
        COL_QOS,
        COL_MEDIUM
};

/* `from`: width of the screen from which the column is shown. The name takes what is left over. */
static const struct screen_column {
        const char *heading;
        int width, from;
        bool right;
} screen_columns[] = {
        [COL_NAME] = {"NAME", 12, 0, false},     [COL_SERVER] = {"SERVER", 9, 65, false},
        [COL_SLOT] = {"SLOT", 4, 70, true},      [COL_ADAPTER] = {"ADAPTER", 8, 90, false},
        [COL_STATE] = {"STATE", 9, 80, false},   [COL_READS] = {"r/s", 5, 0, true},
        [COL_WRITES] = {"w/s", 5, 0, true},      [COL_READ_RATE] = {"rB/s", 5, 0, true},
        [COL_WRITE_RATE] = {"wB/s", 5, 0, true}, [COL_QUEUE] = {"qd", 4, 0, true},
        [COL_LATENCY] = {"lat/us", 6, 98, true}, [COL_QOS] = {"qos/us", 6, 0, true},
        [COL_MEDIUM] = {"med/us", 6, 0, true},
};

struct screen {
        const struct top *top;
        struct sample sample;
        size_t *order; /* rows as sorted */
        size_t selected, first;
        unsigned int sort;
        bool ascending, help, paused, searching;
        char search[IOV_NAME_SIZE];
};

static volatile sig_atomic_t stop_asked;

static void on_signal(int number) {
        stop_asked = 1;
}

/* The rows and direction that qsort needs; set right before each sort, one thread. */
static const struct screen *sorting;

static double column_number(const struct sample_row *row, unsigned int column) {
        const double numbers[] = {[COL_SLOT] = row->slot,
                                  [COL_READS] = row->read_iops,
                                  [COL_WRITES] = row->write_iops,
                                  [COL_READ_RATE] = row->read_rate,
                                  [COL_WRITE_RATE] = row->write_rate,
                                  [COL_QUEUE] = row->queue_depth,
                                  [COL_LATENCY] = row->latency_us,
                                  [COL_QOS] = row->qos_us,
                                  [COL_MEDIUM] = row->medium_us};

        return numbers[column];
}

static const char *column_string(const struct sample_row *row, unsigned int column) {
        const char *state = iov_vadapter_state_to_string(row->state);

        switch (column) {
        case COL_NAME:
                return row->name;
        case COL_SERVER:
                return row->server;
        case COL_ADAPTER:
                return row->adapter;
        case COL_STATE:
                return state ? state : "?";
        default:
                return NULL;
        }
}

static int compare_rows(const void *a, const void *b) {
        const struct sample_row *x = &sorting->sample.rows[*(const size_t *)a], *y = &sorting->sample.rows[*(const size_t *)b];
        const char *s = column_string(x, sorting->sort);
        int r;

        if (s) {
                r = strcmp(s, column_string(y, sorting->sort));
        } else {
                double m = column_number(x, sorting->sort), n = column_number(y, sorting->sort);
                r = (m > n) - (m < n);
        }
        if (!sorting->ascending)
                r = -r;
        return r ? r : strcmp(x->name, y->name);
}

/* Sort again; the selection stays on its vAdapter. */
static void arrange(struct screen *s) {
        char name[IOV_NAME_SIZE + 1] = "";

        if (s->order && s->selected < s->sample.n)
                memcpy(name, s->sample.rows[s->order[s->selected]].name, sizeof(name));
        s->order = xrealloc(s->order, s->sample.n, sizeof(*s->order));
        for (size_t i = 0; i < s->sample.n; i++)
                s->order[i] = i;
        sorting = s;
        qsort(s->order, s->sample.n, sizeof(*s->order), compare_rows);
        for (size_t i = 0; i < s->sample.n && *name; i++)
                if (strcmp(s->sample.rows[s->order[i]].name, name) == 0)
                        s->selected = i;
        if (s->selected >= s->sample.n)
                s->selected = s->sample.n ? s->sample.n - 1 : 0;
}

static bool is_shown(unsigned int column) {
        return COLS >= screen_columns[column].from;
}

static int column_width(unsigned int column) {
        int used = 0;

        if (column != COL_NAME)
                return screen_columns[column].width;
        for (unsigned int c = 1; c < ARRAY_LENGTH(screen_columns); c++)
                used += is_shown(c) ? screen_columns[c].width + 1 : 0;
        int rest = COLS - used;
        return rest < screen_columns[COL_NAME].width ? screen_columns[COL_NAME].width : rest > 40 ? 40 : rest;
}

static void format_cell(const struct sample_row *row, unsigned int column, char *buffer, size_t size) {
        const char *s = column_string(row, column);
        double number = s ? 0 : column_number(row, column);

        if (s)
                snprintf(buffer, size, "%s", *s ? s : "-");
        else if (column == COL_SLOT && !*row->server)
                snprintf(buffer, size, "-");
        else if (column >= COL_QUEUE && number > 0 && number < 99.95)
                snprintf(buffer, size, "%.1f", number);
        else
                human_number(number, buffer, size);
}

static void draw_cell(unsigned int column, const char *text) {
        int width = column_width(column);

        if (screen_columns[column].right)
                printw("%*.*s ", width, width, text);
        else
                printw("%-*.*s ", width, width, text);
}

static void draw_heading(const struct screen *s) {
        attron(A_REVERSE);
        mvhline(1, 0, ' ', COLS);
        move(1, 0);
        for (unsigned int c = 0; c < ARRAY_LENGTH(screen_columns); c++) {
                if (!is_shown(c))
                        continue;
                if (c == s->sort)
                        attron(A_BOLD | A_UNDERLINE);
                draw_cell(c, screen_columns[c].heading);
                attroff(A_BOLD | A_UNDERLINE);
        }
        attroff(A_REVERSE);
}

static void draw_summary(const struct screen *s) {
        char clock_text[16], reads[16], writes[16], read_rate[16], write_rate[16];
        struct sample_row sum = {0};
        time_t now = time(NULL);
        struct tm tm;

        for (size_t i = 0; i < s->sample.n; i++) {
                sum.read_iops += s->sample.rows[i].read_iops;
                sum.write_iops += s->sample.rows[i].write_iops;
                sum.read_rate += s->sample.rows[i].read_rate;
                sum.write_rate += s->sample.rows[i].write_rate;
        }
        human_number(sum.read_iops, reads, sizeof(reads));
        human_number(sum.write_iops, writes, sizeof(writes));
        human_number(sum.read_rate, read_rate, sizeof(read_rate));
        human_number(sum.write_rate, write_rate, sizeof(write_rate));
        strftime(clock_text, sizeof(clock_text), "%H:%M:%S", localtime_r(&now, &tm));
        mvprintw(0, 0, "iovtop %s  %zu vAdapters  %s r/s  %s w/s  %sB/s read  %sB/s written%s", clock_text, s->sample.n, reads,
                 writes, read_rate, write_rate,
                 s->paused               ? "  PAUSED"
                 : s->sample.interval_ns ? ""
                                         : "  sampling...");
}

static void draw_rows(struct screen *s) {
        size_t height = LINES > 3 ? (size_t)LINES - 3 : 1;
        char text[128];

        if (s->selected < s->first)
                s->first = s->selected;
        if (s->selected >= s->first + height)
                s->first = s->selected - height + 1;
        for (size_t i = 0; i < height && s->first + i < s->sample.n; i++) {
                const struct sample_row *row = &s->sample.rows[s->order[s->first + i]];

                move((int)i + 2, 0);
                if (s->first + i == s->selected)
                        attron(A_STANDOUT);
                for (unsigned int c = 0; c < ARRAY_LENGTH(screen_columns); c++)
                        if (is_shown(c)) {
                                format_cell(row, c, text, sizeof(text));
                                draw_cell(c, text);
                        }
                attroff(A_STANDOUT);
        }
}

static void draw_help(void) {
        static const char *const lines[] = {
                "F1 h ?       this help",
                "Up Down j k  move; PgUp PgDn Home End g G too",
                "< >  F6      sort by the column before, behind",
                "I            invert the order",
                "/  F3        search a vAdapter by name; n: next",
                "Z            pause, go on",
                "F10 q        quit",
                "",
                "r/s w/s      read and write commands per second",
                "rB/s wB/s    bytes per second",
                "qd           commands under way, mean over the interval",
                "lat/us       mean time from fetch to completion, microseconds (on wide screens)",
                "qos/us       what of it commands waited for their qos, limits or share",
                "med/us       the rest of it: the time in the medium",
                "",
                "Any key goes back.",
        };

        for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
                mvaddstr((int)i + 2, 2, lines[i]);
}

static void draw(struct screen *s) {
        erase();
        draw_summary(s);
        if (s->help) {
                draw_help();
        } else {
                draw_heading(s);
                draw_rows(s);
        }
        attron(A_REVERSE);
        mvhline(LINES - 1, 0, ' ', COLS);
        if (s->searching)
                mvprintw(LINES - 1, 0, "Search: %s", s->search);
        else
                mvaddstr(LINES - 1, 0, "F1 Help  F3 / Search  F6 <> Sort  I Invert  Z Pause  F10 Quit");
        attroff(A_REVERSE);
        refresh();
}

/* The next row whose name holds the text, from `from` on and round. */
static void find(struct screen *s, size_t from) {
        for (size_t i = 0; i < s->sample.n && *s->search; i++) {
                size_t at = (from + i) % s->sample.n;

                if (strstr(s->sample.rows[s->order[at]].name, s->search)) {
                        s->selected = at;
                        return;
                }
        }
}

static void search_key(struct screen *s, int key) {
        size_t length = strlen(s->search);

        if (key == '\n' || key == KEY_ENTER || key == 27 || key == KEY_F(3)) {
                s->searching = false;
                return;
        }
        if ((key == KEY_BACKSPACE || key == 127 || key == '\b') && length)
                s->search[length - 1] = 0;
        else if (key > ' ' && key < 127 && length + 1 < sizeof(s->search)) {
                s->search[length] = (char)key;
                s->search[length + 1] = 0;
        }
        find(s, s->selected);
}

static void move_by(struct screen *s, long by) {
        long at = (long)s->selected + by;

        if (at >= (long)s->sample.n)
                at = (long)s->sample.n - 1;
        s->selected = at < 0 ? 0 : (size_t)at;
}

static void sort_by(struct screen *s, unsigned int step) {
        unsigned int n = ARRAY_LENGTH(screen_columns);

        do
                s->sort = (s->sort + step) % n;
        while (!is_shown(s->sort));
        /* Words from A, numbers from the largest. */
        s->ascending = !screen_columns[s->sort].right;
        arrange(s);
}

static void move_key(struct screen *s, int key) {
        long page = LINES > 4 ? LINES - 4 : 1;

        if (key == KEY_DOWN || key == 'j')
                move_by(s, 1);
        else if (key == KEY_UP || key == 'k')
                move_by(s, -1);
        else if (key == KEY_NPAGE)
                move_by(s, page);
        else if (key == KEY_PPAGE)
                move_by(s, -page);
        else if (key == KEY_HOME || key == 'g')
                s->selected = 0;
        else if (key == KEY_END || key == 'G')
                move_by(s, (long)s->sample.n);
}

/* false: quit. */
static bool handle_key(struct screen *s, int key) {
        if (key == KEY_RESIZE)
                return true;
        if (s->searching) {
                search_key(s, key);
                return true;
        }
        if (key == 'q' || key == KEY_F(10))
                return false;
        if (s->help) {
                s->help = false;
                return true;
        }
        if (key == 'h' || key == '?' || key == KEY_F(1))
                s->help = true;
        else if (key == '>' || key == KEY_F(6))
                sort_by(s, 1);
        else if (key == '<')
                sort_by(s, ARRAY_LENGTH(screen_columns) - 1);
        else if (key == 'Z')
                s->paused = !s->paused;
        else if (key == '/' || key == KEY_F(3)) {
                s->searching = true;
                *s->search = 0;
        } else if (key == 'n')
                find(s, s->selected + 1);
        else if (key == 'I') {
                s->ascending = !s->ascending;
                arrange(s);
        } else
                move_key(s, key);
        return true;
}

static uint64_t now_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int loop(struct screen *s, struct sampler *sampler, const sigset_t *unblocked) {
        uint64_t interval = (uint64_t)(s->top->delay * 1e9), next = now_ns() + interval;
        unsigned int frames = 0;

        for (;;) {
                draw(s);
                uint64_t now = now_ns(), left = next > now ? next - now : 0;
                struct timespec timeout = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
                struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
                int r = ppoll(&p, 1, &timeout, unblocked);

                if (stop_asked || (r > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL))))
                        return STATUS_DONE;
                for (int key; (key = getch()) != ERR;)
                        if (!handle_key(s, key))
                                return STATUS_DONE;
                if (now_ns() < next)
                        continue;
                next = now_ns() + interval;
                if (s->paused)
                        continue;
                r = sampler_read(sampler, &s->sample);
                if (r < 0)
                        return r;
                arrange(s);
                if (s->top->frames && ++frames >= s->top->frames)
                        return STATUS_DONE;
        }
}

/* Signals that end it are let in only while it waits, so that none is missed between the check and the wait. */
static void catch_signals(sigset_t *ret_unblocked) {
        static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
        struct sigaction action = {.sa_handler = on_signal};
        sigset_t blocked;

        sigemptyset(&blocked);
        for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
                sigaction(numbers[i], &action, NULL);
                sigaddset(&blocked, numbers[i]);
        }
        sigprocmask(SIG_BLOCK, &blocked, ret_unblocked);
}

int screen_run(const struct top *top) {
        struct screen s = {.top = top, .sort = COL_NAME, .ascending = true};
        struct sampler *sampler = NULL;
        sigset_t unblocked;
        int status = sampler_new(top->tool, &sampler, &s.sample);

        if (status != STATUS_DONE)
                return status;
        SCREEN *terminal = newterm(NULL, stdout, stdin);
        if (!terminal) {
                sampler_free(sampler);
                return report_error(top->tool, STATUS_FAILED, "the terminal type '%s' is unknown; try -b",
                                    getenv("TERM") ? getenv("TERM") : "");
        }
        arrange(&s);
        catch_signals(&unblocked);
        cbreak();
        noecho();
        curs_set(0);
        keypad(stdscr, TRUE);
        nodelay(stdscr, TRUE);
        set_escdelay(50);
        status = loop(&s, sampler, &unblocked);
        endwin();
        delscreen(terminal);
        sampler_free(sampler);
        sample_free(&s.sample);
        free(s.order);
        return status < 0 ? report_lost(top->tool, status) : status;
}
