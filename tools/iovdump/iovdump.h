/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of iovdump, and the collecting halves that the bundle shares with them. */
#ifndef IOV_TOOLS_IOVDUMP_H
#define IOV_TOOLS_IOVDUMP_H

#include "tools/common/session.h"
#include "tools/common/tool.h"

int dump_topology(struct tool *tool, char **words, unsigned int n_words);
int dump_chassis(struct tool *tool, char **words, unsigned int n_words);
int dump_registers(struct tool *tool, char **words, unsigned int n_words);
int dump_pci(struct tool *tool, char **words, unsigned int n_words);
int dump_isolation(struct tool *tool, char **words, unsigned int n_words);
int dump_state(struct tool *tool, char **words, unsigned int n_words);
int dump_bundle(struct tool *tool, char **words, unsigned int n_words);

extern const struct option registers_options[];
extern const struct column register_columns[], isolation_columns[];

/* For each row, the index of one of another server that reaches the same thing, SIZE_MAX: none; returns how many pairs there are
 * at least. `ret_with` has room for n. */
size_t isolation_overlaps(const struct iov_mb_isolation_row *rows, size_t n, size_t *ret_with);
struct table *isolation_table(const struct iov_mb_isolation_row *rows, size_t n, const size_t *with);

/* `kind: state`; the caller puts it. */
struct json_object *state_tree(const struct snapshot *snapshot, const struct iov_mb_identify *id, enum format format);

/* Every register with its fields and values; 0 or -errno. */
int registers_read(struct iov_appliance *appliance, struct table **ret_table);
/* docs/register-map.md */
void registers_write_map(FILE *stream);

/* The functions of a server, in order of slots. */
#define CONFIG_SIZE 4096
struct function {
        struct iov_vadapter vadapter;
        unsigned char config[CONFIG_SIZE];
};
struct functions {
        struct function *functions;
        size_t n;
};
void functions_free(struct functions *functions);
#define CLEANUP_FUNCTIONS __attribute__((cleanup(functions_free)))
int functions_read(struct iov_appliance *appliance, const struct iov_model *model, const char *server,
                   struct functions *ret_functions);
/* The names of vendors and devices: to be read once, which takes longer than all the rest. */
struct pci_access;
struct pci_access *names_new(void);
void names_free(struct pci_access **names);
#define CLEANUP_NAMES __attribute__((cleanup(names_free)))
/* As `lspci -xxxx` prints and `lspci -F` reads. */
void functions_write(const struct functions *functions, struct pci_access *names, FILE *stream);

#endif
