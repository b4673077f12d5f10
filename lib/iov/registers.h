/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The register map of the management function: constants and record structs, all expanded from registers.def.
 * The records are a wire format: the appliance shows them in BAR2 and takes them in transactions.
 */
#ifndef IOV_REGISTERS_H
#define IOV_REGISTERS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IOV_MAGIC UINT32_C(0x4d564f49)
#define IOV_TABLE_MAGIC UINT32_C(0x54564f49)
#define IOV_VERSION_MAJOR 1
#define IOV_VERSION_MINOR 3

/* PCI identity of the management function. 0x1b36 (Red Hat/QEMU) is not ours; 0x1af4:0x10ff.. are reserved for
 * experiments, which is what this function is until an id is assigned. */
#define IOV_MGMT_VENDOR_ID 0x1af4
#define IOV_MGMT_DEVICE_ID 0x10f0
#define IOV_MGMT_CLASS 0x088000 /* base system peripheral, other */

#define IOV_BAR0_SIZE UINT64_C(0x40000)    /* registers and mailbox */
#define IOV_WEIGHT_DEFAULT 100             /* of a qos, and of a vAdapter that has none */
#define IOV_BAR2_SIZE UINT64_C(0x10000000) /* tables; sparse, only rows in use cost memory */
#define IOV_MB_PAYLOAD_SHIFT 16            /* payload area: 64 KiB */
#define IOV_MB_PAYLOAD_BYTES (1u << IOV_MB_PAYLOAD_SHIFT)

#define IOV_NAME_SIZE 80 /* bytes of a name field in a record */
#define IOV_NAME_MAX 63  /* characters of a name that an operator gives */
#define IOV_NSID_MAX 64
#define IOV_SHARERS_MAX 32u /* namespaces of a shared volume */
#define IOV_LUN_NUMBER_MAX 255
#define IOV_DRIVE_NUMBER_MAX 63
#define IOV_VLAN_MAX 4094 /* IEEE 802.1Q-2018 section 9.6: 0 is priority tagged, 4095 reserved */
#define IOV_NQN_MAX 223   /* NVMe 1.4 section 7.9 */
#define IOV_SERIAL_MAX 20 /* NVMe 1.4 section 5.15.2.2, bytes 23:04 */
#define IOV_VOLUME_ALIGN 4096

/* register offsets: IOV_REG_<NAME>, IOV_REG_<NAME>_BAR */
enum iov_reg_offset {
#define IOV_REG(NAME, bar, offset, bits, ACCESS, text) IOV_REG_##NAME = (offset), IOV_REG_##NAME##_BAR = (bar),
#include "registers.def"
};

/* register fields: IOV_<REG>_<NAME>_SHIFT, IOV_<REG>_<NAME>_WIDTH */
enum iov_reg_field {
#define IOV_FIELD(REG, NAME, lsb, width, text) IOV_##REG##_##NAME##_SHIFT = (lsb), IOV_##REG##_##NAME##_WIDTH = (width),
#include "registers.def"
};

/* kinds of records, which number the tables */
enum iov_kind {
#define IOV_RECORD_BEGIN(name, NAME, size, max, text) IOV_KIND_##NAME,
#include "registers.def"
        IOV_KIND_COUNT
};

/* bytes of a record and rows of its table: IOV_<NAME>_RECORD_SIZE, IOV_<NAME>_MAX */
enum iov_record_size {
#define IOV_RECORD_BEGIN(name, NAME, size, max, text) IOV_##NAME##_RECORD_SIZE = (size), IOV_##NAME##_MAX = (max),
#include "registers.def"
};

typedef char iov_type_chars;
typedef uint8_t iov_type_u8;
typedef uint16_t iov_type_u16;
typedef uint32_t iov_type_u32;
typedef uint64_t iov_type_u64;

/* struct iov_server, iov_adapter, iov_volume, iov_vadapter, iov_namespace, iov_counter, iov_event, iov_table. A field of
 * count 1 is a plain member. */
#define IOV_DECLARE(type, name, count) IOV_DECLARE_##count(type, name)
#define IOV_DECLARE_1(type, name) iov_type_##type name;
#define IOV_DECLARE_3(type, name) iov_type_##type name[3];
#define IOV_DECLARE_8(type, name) iov_type_##type name[8];
#define IOV_DECLARE_12(type, name) iov_type_##type name[12];
#define IOV_DECLARE_24(type, name) iov_type_##type name[24];
#define IOV_DECLARE_32(type, name) iov_type_##type name[32];
#define IOV_DECLARE_48(type, name) iov_type_##type name[48];
#define IOV_DECLARE_64(type, name) iov_type_##type name[64];
#define IOV_DECLARE_72(type, name) iov_type_##type name[72];
#define IOV_DECLARE_80(type, name) iov_type_##type name[80];
#define IOV_DECLARE_108(type, name) iov_type_##type name[108];
#define IOV_DECLARE_88(type, name) iov_type_##type name[88];
#define IOV_DECLARE_96(type, name) iov_type_##type name[96];
#define IOV_DECLARE_56(type, name) iov_type_##type name[56];
#define IOV_DECLARE_104(type, name) iov_type_##type name[104];
#define IOV_DECLARE_144(type, name) iov_type_##type name[144];
#define IOV_DECLARE_224(type, name) iov_type_##type name[224];
#define IOV_DECLARE_256(type, name) iov_type_##type name[256];
#define IOV_DECLARE_512(type, name) iov_type_##type name[512];
#define IOV_DECLARE_112(type, name) iov_type_##type name[112];
#define IOV_DECLARE_152(type, name) iov_type_##type name[152];
#define IOV_DECLARE_160(type, name) iov_type_##type name[160];
#define IOV_RECORD_BEGIN(name, NAME, size, max, text) struct iov_##name {
#define IOV_RFIELD(record, name, type, count, ROLE, text) IOV_DECLARE_##count(type, name)
#define IOV_RECORD_END(name, NAME)                                                                                               \
        }                                                                                                                        \
        ;
#include "registers.def"

/* mailbox opcodes and return codes: IOV_OP_<NAME>, IOV_RET_<NAME> */
enum iov_opcode {
#define IOV_OPCODE(NAME, value, text) IOV_OP_##NAME = (value),
#include "registers.def"
};
enum iov_retcode {
#define IOV_RETCODE(NAME, value, error, text) IOV_RET_##NAME = (value),
#include "registers.def"
};

enum iov_adapter_kind { IOV_ADAPTER_NIC = 1, IOV_ADAPTER_HBA, IOV_ADAPTER_RAID, IOV_ADAPTER_SSD, IOV_ADAPTER_SATA };
enum iov_on_remove { IOV_ON_REMOVE_DELETE, IOV_ON_REMOVE_RETAIN };
enum iov_provisioning {
        IOV_PROVISIONING_THIN, /* space is taken when it is written to, and given back when it is deallocated */
        IOV_PROVISIONING_FULL, /* all of it is set aside from the beginning, and kept */
};
enum iov_block_size { IOV_BLOCK_SIZE_512, IOV_BLOCK_SIZE_4096 };
enum iov_server_state {
        IOV_SERVER_OFF,  /* no process drives any of its vAdapters */
        IOV_SERVER_ON,   /* at least one vAdapter is connected */
        IOV_SERVER_DOWN, /* its worker is not running */
};
enum iov_vadapter_state {
        IOV_VADAPTER_DETACHED,   /* not in a slot */
        IOV_VADAPTER_ATTACHED,   /* in a slot, waiting for the server */
        IOV_VADAPTER_CONNECTED,  /* a server drives it */
        IOV_VADAPTER_FAILED,     /* could not be brought up, plugged or unplugged: see reason */
        IOV_VADAPTER_PLUGGING,   /* its server's hypervisor is asked to plug it, or it waits until it is free elsewhere */
        IOV_VADAPTER_UNPLUGGING, /* a guest is asked to let go of it */
};
enum iov_host_state {
        IOV_HOST_NONE,  /* the server has no hypervisor that could be asked */
        IOV_HOST_AWAY,  /* it does not answer: see host_reason */
        IOV_HOST_READY, /* it plugs and unplugs */
};
#define IOV_HOST_FAULT_UNPLUG_MSIX UINT32_C(1) /* of host_faults */
enum iov_vlan_mode {
        IOV_VLAN_ACCESS, /* the guest's frames are untagged, and in `vlan` */
        IOV_VLAN_TRUNK,  /* the guest tags; all VLANs of the network, untagged frames in `vlan` */
};
enum iov_interrupts { IOV_INTERRUPTS_AUTO, IOV_INTERRUPTS_MSIX, IOV_INTERRUPTS_MSI, IOV_INTERRUPTS_INTX };
enum iov_polling {
        IOV_POLLING_ADAPTIVE, /* the device sleeps, and polls only while work arrives */
        IOV_POLLING_ALWAYS,   /* its doorbells are mapped into the server, and it never sleeps */
};
enum iov_memory {
        IOV_MEMORY_PAGEABLE, /* the server's memory is held by requests under way alone */
        IOV_MEMORY_PINNED,   /* all of it is held, and registered with the io_uring of the worker */
};
/* Why not all of a server's memory is pinned. */
enum iov_unpinned {
        IOV_UNPINNED_NOTHING, /* all is, or none is to be */
        IOV_UNPINNED_MEMLOCK, /* RLIMIT_MEMLOCK */
        IOV_UNPINNED_MEMORY,  /* the machine has none left for it */
        IOV_UNPINNED_ENTRIES, /* more pieces than a worker can register */
        IOV_UNPINNED_KIND,    /* the kernel pins no memory of that kind, as of a file on a disk */
        IOV_UNPINNED_MEDIA,   /* none of its media is a file or a device */
        IOV_UNPINNED_RING,    /* the worker has no io_uring, or an old one */
};
enum iov_media {
        IOV_MEDIA_FILE, /* volumes are files in the state directory */
        IOV_MEDIA_RAM,  /* volumes are memory, and are empty after each start of the appliance */
};
enum iov_identity_type {
        IOV_IDENTITY_MAC,
        IOV_IDENTITY_WWNN,
        IOV_IDENTITY_WWPN,
        IOV_IDENTITY_SERIAL,
        IOV_IDENTITY_NQN,
        IOV_IDENTITY_COUNT
};
/* PCIe 5.0 section 4.2.5: the states of the LTSSM that last. */
enum iov_link_state { IOV_LINK_DETECT /* no server */, IOV_LINK_L0 /* up */, IOV_LINK_DISABLED, IOV_LINK_RECOVERY };
enum iov_fault_type {
        IOV_FAULT_LINK_DOWN = 1,    /* of a server */
        IOV_FAULT_SURPRISE_REMOVAL, /* of a vAdapter */
        IOV_FAULT_MEDIA_ERROR,      /* of a volume: first, count */
        IOV_FAULT_LATENCY,          /* of a vAdapter: value */
        IOV_FAULT_VOLUME_FULL,      /* of a volume */
        IOV_FAULT_WORKER_CRASH,     /* of a server */
        IOV_FAULT_MAILBOX_TIMEOUT,  /* of the appliance: value commands are never answered */
};
enum iov_link_action { IOV_LINK_UP = 1, IOV_LINK_DOWN, IOV_LINK_RETRAIN };

/* Mailbox payloads. Reserved members are zero. A failed command's reply is one struct iov_mb_error, where CAPS.REASONS is set one
 * for each reason that a transaction was refused for, IOV_MB_ERRORS_MAX at most; the return code is that of the first. */
#define IOV_MB_ERRORS_MAX 16
struct iov_mb_error {
        uint32_t op_index; /* which operation of the transaction, UINT32_MAX: none in particular */
        uint32_t reasons;  /* in the first: how many there are, those that are not told as well; 0: this one alone */
        char text[504];    /* what, where, why and what to do */
};
struct iov_mb_identify {
        char chassis[64]; /* name of the chassis */
        uint8_t id[16];   /* random, made with the state directory; all zero: not known */
        char version[32]; /* of iovd */
        char run_dir[108];
        uint32_t reserved;
        uint64_t boot_time_ns; /* CLOCK_REALTIME when iovd started */
};
#define IOV_TXN_DRY_RUN UINT32_C(1) /* judge it, change nothing */
#define IOV_TXN_FORCE UINT32_C(2)   /* also where a running server loses a device by it */
#define IOV_TXN_SCRUB UINT32_C(4)   /* volumes of vAdapters that go to another server lose their data on the way */
#define IOV_TXN_SHRINK UINT32_C(8)  /* also where a volume becomes smaller, and loses what is behind its new end */
#define IOV_GENERATION_ANY UINT64_MAX
struct iov_mb_txn_begin {
        uint64_t generation; /* refuse the commit with STALE unless GENERATION is this; IOV_GENERATION_ANY: do not care */
        uint32_t flags;      /* IOV_TXN_* */
        uint32_t confirm_s;  /* seconds after which it is taken back unless CONFIRM comes, at most IOV_CONFIRM_MAX; 0: it stays */
};
#define IOV_CONFIRM_MAX 86400
/* What follows a RENAME are two names of 80 bytes, the old and the new. */
enum iov_op_verb { IOV_VERB_SET = 1 /* create or replace */, IOV_VERB_REMOVE = 2, IOV_VERB_RENAME = 3 };
struct iov_mb_op {
        uint16_t verb; /* enum iov_op_verb */
        uint16_t kind; /* enum iov_kind: server, volume, vadapter or namespace */
        uint32_t size; /* bytes that follow, a name at least; what is missing to the record size of the kind is zero */
};
struct iov_mb_txn_result {
        uint64_t generation; /* after the commit; unchanged where nothing had to change */
        uint32_t changed;    /* operations that changed something */
        uint32_t reserved;
};

struct iov_mb_link_control {
        uint32_t link;
        uint32_t action; /* enum iov_link_action */
};

/*
 * Both sides of every translation: what a server names, and what is behind it. A memory is part of a file (memfd, hugetlbfs ...),
 * known by the appliance's kernel as device, inode and offset; an eventfd by its id; a volume by its id and its file.
 */
enum iov_isolation_kind {
        IOV_ISOLATION_REQUESTER = 1, /* a slot with a vAdapter; the rows that follow are its own */
        IOV_ISOLATION_WINDOW,        /* a DMA window; no inode: no memory is behind it */
        IOV_ISOLATION_VECTOR,        /* an interrupt vector: index is vfio's (0 INTx, 1 MSI, 2 MSI-X) */
        IOV_ISOLATION_MEDIUM,        /* a volume; index is the namespace's or drive's number */
        IOV_ISOLATION_MAPPING,       /* memory that the kernel says a worker has, and no window says so */
};
#define IOV_ISOLATION_READ UINT32_C(1)       /* the device may read it */
#define IOV_ISOLATION_WRITE UINT32_C(2)      /* the device may write it */
#define IOV_ISOLATION_VERIFIED UINT32_C(4)   /* the kernel says the same, not the worker alone */
#define IOV_ISOLATION_SHARED UINT32_C(16)    /* a medium that is meant for several servers */
#define IOV_ISOLATION_INCOMPLETE UINT32_C(8) /* of a requester: more is there than is told, or what is told makes no sense */
struct iov_mb_isolation_read {
        uint64_t first; /* row to begin with; 0 takes a new look, the others go on with it */
};
struct iov_mb_isolation_part {
        uint64_t first;
        uint64_t total; /* rows there are */
};
struct iov_mb_isolation_row {
        char server[80];
        char vadapter[80]; /* empty for a MAPPING, which is its worker's */
        char object[80];   /* name of the volume */
        uint32_t kind;     /* enum iov_isolation_kind */
        uint32_t flags;    /* IOV_ISOLATION_* */
        uint32_t slot;
        uint32_t worker_pid;
        uint32_t peer_pid; /* process that drives the vAdapter, 0: none */
        uint32_t index;
        uint32_t vector;
        uint32_t reserved;
        uint64_t address; /* WINDOW: first address of the server */
        uint64_t size;    /* bytes of a window, mapping or medium */
        uint64_t device;  /* st_dev of what is behind it */
        uint64_t inode;   /* st_ino, 0: none */
        uint64_t offset;  /* where in it */
        uint64_t id;      /* of the volume, or of the eventfd; 0: not known */
};

/* A row for each registrant of a shared volume (NVMe 1.4 section 8.8), and one without a host where a volume has none. */
#define IOV_RESERVATION_HOLDER UINT32_C(1)   /* it holds the reservation */
#define IOV_RESERVATION_PERSISTS UINT32_C(2) /* of the volume: what is registered outlives a power loss */
#define IOV_RESERVATION_EXTENDED UINT32_C(4) /* a host identifier of 128 bits, else of 64 */
struct iov_mb_reservation_row {
        char volume[80];
        char vadapter[80]; /* by which it has registered; empty: no registrant, or the vAdapter is gone */
        uint8_t host[16];
        uint64_t key;
        uint32_t flags;      /* IOV_RESERVATION_* */
        uint32_t type;       /* NVMe 1.4 section 6.10: 1 to 6; 0: there is no reservation */
        uint32_t generation; /* of the volume */
        uint32_t registrants;
        uint8_t reserved[56];
};

#define IOV_UID_APPLIANCE UINT32_MAX /* not a user, but the appliance itself */
struct iov_mb_history_entry {
        uint64_t generation;
        uint64_t time_ns;   /* CLOCK_REALTIME of the commit */
        uint32_t uid;       /* who committed it, or IOV_UID_APPLIANCE */
        uint32_t n_objects; /* objects that it has */
        uint32_t n_changes; /* operations that changed something */
        uint32_t flags;     /* IOV_HISTORY_* */
};
#define IOV_HISTORY_WAITS UINT32_C(1)      /* it is taken back at CONFIRM_TIME unless it is confirmed */
#define IOV_HISTORY_TAKEN_BACK UINT32_C(2) /* it took back the one before, which was not confirmed: by time, or by its user */
struct iov_mb_history_read {
        uint64_t generation;
        uint64_t offset; /* into the bytes of its objects */
};
/* The bytes of all pieces, joined, are a struct iov_mb_op (verb SET) and a record for each object; pieces are cut anywhere. */
struct iov_mb_history_part {
        uint64_t generation;
        uint64_t offset; /* of the first byte that follows */
        uint64_t length; /* of all the bytes there are */
        uint32_t n_objects;
        uint32_t checksum; /* CRC-32C of all the bytes */
};

/* Descriptions, for programs that print the map. All strings are static. */
enum iov_access { IOV_ACCESS_RO, IOV_ACCESS_RW, IOV_ACCESS_WO };
enum iov_role { IOV_ROLE_KEY, IOV_ROLE_CONFIG, IOV_ROLE_STATUS, IOV_ROLE_RESERVED };
enum iov_type { IOV_TYPE_chars, IOV_TYPE_u8, IOV_TYPE_u16, IOV_TYPE_u32, IOV_TYPE_u64 };
struct iov_field_info {
        const char *name;
        unsigned int lsb, width;
        const char *text;
};
struct iov_reg_info {
        const char *name;
        unsigned int bar;
        uint64_t offset;
        unsigned int bits;
        enum iov_access access;
        const char *text;
        const struct iov_field_info *fields; /* n_fields of them */
        unsigned int n_fields;
};
struct iov_rfield_info {
        const char *name;
        enum iov_type type;
        unsigned int offset, size, count; /* size of one element, bytes */
        enum iov_role role;
        const char *text;
};
struct iov_record_info {
        const char *name; /* singular, lower case */
        enum iov_kind kind;
        unsigned int size, max;
        const char *text;
        const struct iov_rfield_info *fields;
        unsigned int n_fields;
};

/* The i-th register of the map, NULL past the last. */
const struct iov_reg_info *iov_registers_get(unsigned int i);
/* The description of a kind of record, NULL for an unknown one. */
const struct iov_record_info *iov_records_get(enum iov_kind kind);
/* The text for a mailbox return code, and the positive errno it stands for (EIO for an unknown one). */
const char *iov_retcode_text(unsigned int code);
int iov_retcode_errno(unsigned int code);
/* The return code that carries a positive errno value; INTERNAL for one without. */
enum iov_retcode iov_retcode_from_errno(int error);

#ifdef __cplusplus
}
#endif
#endif
