/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pci: configuration spaces, in the form that lspci prints and reads. */
#include <errno.h>
#include <pci/pci.h>
#include <string.h>

#include "tools/common/report.h"
#include "tools/common/session.h"
#include "tools/iovdump/iovdump.h"
#include "util.h"

void functions_free(struct functions *f) {
        free(f->functions);
        f->functions = NULL;
}

int functions_read(struct iov_appliance *appliance, const struct iov_model *model, const char *server,
                   struct functions *ret_functions) {
        CLEANUP_FUNCTIONS struct functions f = {0};

        f.functions = xcalloc(iov_model_get_slots(model), sizeof(*f.functions));
        /* Bus 0 is the root's; a slot past bus 255 cannot be written in this form. */
        for (unsigned int slot = 0; slot < iov_model_get_slots(model) && slot < 255; slot++) {
                const struct iov_vadapter *v = iov_vadapter_in_slot(model, server, slot);

                if (!v)
                        continue;
                int r = iov_config_read(appliance, v->name, f.functions[f.n].config);
                /* Detached since the model was read: it is not there any more. */
                if (r == -ENOENT)
                        continue;
                if (r < 0)
                        return r;
                f.functions[f.n++].vadapter = *v;
        }
        ret_functions->n = f.n;
        ret_functions->functions = TAKE_PTR(f.functions);
        return 0;
}

static unsigned int word(const unsigned char *config, unsigned int offset) {
        return config[offset] | (unsigned int)config[offset + 1] << 8;
}

/* Only names are looked up, so libpci is never told to find an access method (pci_init), and these stay unset. */
static void names_message(char *format, ...) {
}

__attribute__((noreturn)) static void names_error(char *format, ...) {
        fputs("iovdump: looking up PCI names failed\n", stderr);
        exit(STATUS_FAILED);
}

struct pci_access *names_new(void) {
        struct pci_access *access = pci_alloc();

        access->error = names_error;
        access->warning = names_message;
        access->debug = names_message;
        return access;
}

void names_free(struct pci_access **names) {
        pci_cleanup(*names);
}

/* `01:00.0 Non-Volatile memory controller: Vendor Device (rev 01)` */
static void write_heading(struct pci_access *access, const struct function *f, FILE *stream) {
        unsigned int vendor = word(f->config, PCI_VENDOR_ID), device = word(f->config, PCI_DEVICE_ID);
        char class_name[128], device_name[256];

        fprintf(stream, "# %.*s: slot %u of %.*s, image of %.*s\n", (int)sizeof(f->vadapter.name), f->vadapter.name,
                f->vadapter.at_slot, (int)sizeof(f->vadapter.at_server), f->vadapter.at_server, (int)sizeof(f->vadapter.adapter),
                f->vadapter.adapter);
        fprintf(stream, "%02x:00.0 %s: %s", f->vadapter.at_slot + 1,
                pci_lookup_name(access, class_name, sizeof(class_name), PCI_LOOKUP_CLASS, word(f->config, PCI_CLASS_DEVICE)),
                pci_lookup_name(access, device_name, sizeof(device_name),
                                PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE | PCI_LOOKUP_NO_HWDB, vendor, device));
        if (f->config[PCI_REVISION_ID])
                fprintf(stream, " (rev %02x)", f->config[PCI_REVISION_ID]);
        fputc('\n', stream);
}

void functions_write(const struct functions *functions, struct pci_access *names, FILE *stream) {
        for (size_t i = 0; i < functions->n; i++) {
                write_heading(names, &functions->functions[i], stream);
                for (unsigned int offset = 0; offset < CONFIG_SIZE; offset += 16) {
                        fprintf(stream, "%02x:", offset);
                        for (unsigned int b = 0; b < 16; b++)
                                fprintf(stream, " %02x", functions->functions[i].config[offset + b]);
                        fputc('\n', stream);
                }
                fputc('\n', stream);
        }
}

static struct table *functions_table(const struct functions *functions) {
        static const struct column columns[] = {
                {"address", 0, ""},   {"vadapter", 0, ""},  {"slot", 0, ""},
                {"vendor_id", 0, ""}, {"device_id", 0, ""}, {"class_code", 0, ""},
                {"revision", 0, ""},  {"config", 0, ""},    {0},
        };
        struct table *t = table_new("functions", columns);

        for (size_t i = 0; i < functions->n; i++) {
                const struct function *f = &functions->functions[i];
                char address[16], hex[2 * CONFIG_SIZE + 1];

                snprintf(address, sizeof(address), "%02x:00.0", f->vadapter.at_slot + 1);
                for (unsigned int b = 0; b < CONFIG_SIZE; b++)
                        snprintf(hex + (size_t)2 * b, 3, "%02x", f->config[b]);
                table_row(t);
                put_text(t, address);
                put_field(t, f->vadapter.name, sizeof(f->vadapter.name));
                put_number(t, f->vadapter.at_slot);
                put_hex(t, word(f->config, PCI_VENDOR_ID), 4);
                put_hex(t, word(f->config, PCI_DEVICE_ID), 4);
                put_hex(t, word(f->config, PCI_CLASS_DEVICE) << 8 | f->config[PCI_CLASS_PROG], 6);
                put_number(t, f->config[PCI_REVISION_ID]);
                put_text(t, hex);
        }
        return t;
}

static int collect(struct tool *tool, const char *server, struct functions *ret_functions) {
        CLEANUP_APPLIANCE struct iov_appliance *appliance = NULL;
        CLEANUP_MODEL struct iov_model *model = NULL;
        int status = session_open(tool, &appliance);

        if (status != STATUS_DONE)
                return status;
        int r = iov_model_load(appliance, &model);
        if (r < 0)
                return report_errno(tool, r, "reading the appliance's tables failed");
        if (!iov_model_get(model, IOV_KIND_SERVER, server))
                return report_error(tool, STATUS_FAILED, "%s: no such server; 'iovctl server list' shows them", server);
        r = functions_read(appliance, model, server, ret_functions);
        return r < 0 ? report_errno(tool, r, "%s: reading configuration space failed", server) : STATUS_DONE;
}

int dump_pci(struct tool *tool, char **words, unsigned int n_words) {
        CLEANUP_FUNCTIONS struct functions functions = {0};
        int status = collect(tool, words[0], &functions);

        if (status != STATUS_DONE)
                return status;
        if (tool->output.format == FORMAT_TABLE) {
                CLEANUP_NAMES struct pci_access *names = names_new();

                functions_write(&functions, names, stdout);
                return STATUS_DONE;
        }
        CLEANUP_TABLE struct table *t = functions_table(&functions);
        return output_table(tool, t, false);
}
