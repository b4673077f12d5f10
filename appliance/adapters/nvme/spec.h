/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Constants and structures of the NVM Express Base Specification, revision 1.4; sections are cited as [3.1.1]. */
#ifndef IOV_NVME_SPEC_H
#define IOV_NVME_SPEC_H

#include <stdint.h>

/* [3.1] controller registers */
enum {
        NVME_REG_CAP = 0x00,         /* [3.1.1] */
        NVME_REG_VS = 0x08,          /* [3.1.2] */
        NVME_REG_INTMS = 0x0c,       /* [3.1.3] */
        NVME_REG_INTMC = 0x10,       /* [3.1.4] */
        NVME_REG_CC = 0x14,          /* [3.1.5] */
        NVME_REG_CSTS = 0x1c,        /* [3.1.6] */
        NVME_REG_AQA = 0x24,         /* [3.1.8] */
        NVME_REG_ASQ = 0x28,         /* [3.1.9] */
        NVME_REG_ACQ = 0x30,         /* [3.1.10] */
        NVME_REG_DOORBELLS = 0x1000, /* [3.1.24] SQ y tail at 1000h + 2y * 4, [3.1.25] CQ y head at 1000h + (2y + 1) * 4 */
};

/* [3.1.1] CAP */
#define NVME_CAP_MQES(n) ((uint64_t)(n)) /* 0's based */
#define NVME_CAP_CQR (UINT64_C(1) << 16)
#define NVME_CAP_TO(n) ((uint64_t)(n) << 24) /* units of 500 ms */
#define NVME_CAP_CSS_NVM (UINT64_C(1) << 37)

/* [3.1.2] VS: 1.4.0 */
#define NVME_VERSION UINT32_C(0x00010400)

/* [3.1.5] CC */
#define NVME_CC_EN UINT32_C(0x1)
#define NVME_CC_CSS(cc) (((cc) >> 4) & 7)
#define NVME_CC_MPS(cc) (((cc) >> 7) & 15)
#define NVME_CC_AMS(cc) (((cc) >> 11) & 7)
#define NVME_CC_SHN(cc) (((cc) >> 14) & 3)
#define NVME_CC_IOSQES(cc) (((cc) >> 16) & 15)
#define NVME_CC_IOCQES(cc) (((cc) >> 20) & 15)
#define NVME_CC_MASK UINT32_C(0x00fffff1) /* the rest is reserved */

/* [3.1.6] CSTS */
#define NVME_CSTS_RDY UINT32_C(0x1)
#define NVME_CSTS_CFS UINT32_C(0x2)
#define NVME_CSTS_SHST_MASK UINT32_C(0xc)
#define NVME_CSTS_SHST_OCCURRING UINT32_C(0x4)
#define NVME_CSTS_SHST_COMPLETE UINT32_C(0x8)

/* [3.1.8] AQA: both sizes are 0's based */
#define NVME_AQA_MASK UINT32_C(0x0fff0fff)

/* [4.2] submission queue entry */
struct nvme_sqe {
        uint8_t opcode;
        uint8_t flags; /* FUSE 1:0, PSDT 7:6 */
        uint16_t cid;
        uint32_t nsid;
        uint32_t cdw2, cdw3;
        uint64_t mptr;
        uint64_t prp1, prp2;
        uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
_Static_assert(sizeof(struct nvme_sqe) == 64, "[4.2]");
#define NVME_SQE_FLAGS_FUSE 0x03
#define NVME_SQE_FLAGS_PSDT 0xc0
#define NVME_SQE_FLAGS_PSDT_NONE 0xc0 /* reserved; 40h and 80h are SGLs, which differ in the metadata that we have not */

/* [4.6] completion queue entry */
struct nvme_cqe {
        uint32_t result, reserved;
        uint16_t sq_head, sq_id;
        uint16_t cid, status; /* status: phase tag in bit 0 */
};
_Static_assert(sizeof(struct nvme_cqe) == 16, "[4.6]");

/* [4.6.1] status field without the phase tag: SC 7:0, SCT 10:8, CRD 12:11, M 13, DNR 14 */
enum nvme_status {
        NVME_DNR = 0x4000,
        NVME_MORE = 0x2000,

        /* [4.6.1.2.1] generic command status */
        NVME_SC_SUCCESS = 0x000,
        NVME_SC_INVALID_OPCODE = 0x001,
        NVME_SC_INVALID_FIELD = 0x002,
        NVME_SC_DATA_TRANSFER_ERROR = 0x004,
        NVME_SC_INTERNAL_ERROR = 0x006,
        NVME_SC_ABORT_REQUESTED = 0x007,
        NVME_SC_INVALID_NAMESPACE = 0x00b,
        NVME_SC_SEQUENCE_ERROR = 0x00c,
        NVME_SC_SGL_SEGMENT_INVALID = 0x00d,
        NVME_SC_SGL_COUNT_INVALID = 0x00e,
        NVME_SC_SGL_LENGTH_INVALID = 0x00f,
        NVME_SC_SGL_TYPE_INVALID = 0x011,
        NVME_SC_PRP_OFFSET_INVALID = 0x013,
        NVME_SC_OPERATION_DENIED = 0x015,
        NVME_SC_HOST_ID_FORMAT = 0x018, /* host identifier inconsistent format */
        NVME_SC_PREEMPT_ABORTED = 0x01b,
        NVME_SC_SGL_GRANULARITY = 0x01e,
        NVME_SC_WRITE_PROTECTED = 0x020,
        NVME_SC_LBA_OUT_OF_RANGE = 0x080,
        NVME_SC_CAPACITY_EXCEEDED = 0x081,
        NVME_SC_NAMESPACE_NOT_READY = 0x082,
        NVME_SC_RESERVATION_CONFLICT = 0x083,
        NVME_SC_FORMAT_IN_PROGRESS = 0x084,

        /* [4.6.1.2.2] command specific status */
        NVME_SC_CQ_INVALID = 0x100,
        NVME_SC_INVALID_QUEUE_ID = 0x101,
        NVME_SC_INVALID_QUEUE_SIZE = 0x102,
        NVME_SC_ABORT_LIMIT = 0x103,
        NVME_SC_AER_LIMIT = 0x105,
        NVME_SC_INVALID_VECTOR = 0x108,
        NVME_SC_INVALID_LOG_PAGE = 0x109,
        NVME_SC_INVALID_FORMAT = 0x10a,
        NVME_SC_INVALID_QUEUE_DELETION = 0x10c,
        NVME_SC_FEATURE_NOT_SAVEABLE = 0x10d,
        NVME_SC_FEATURE_NOT_PER_NS = 0x10f,
        NVME_SC_SELF_TEST_IN_PROGRESS = 0x11d,
        NVME_SC_COPY_LIMIT = 0x183,   /* [NVM Command Set 1.0, 3.2.2.1] command size limit exceeded */
        NVME_SC_COPY_OVERLAP = 0x187, /* [NVM Command Set 1.2, 3.3.2.5] overlapping I/O range */

        /* [4.6.1.2.3] media and data integrity errors */
        NVME_SC_WRITE_FAULT = 0x280,
        NVME_SC_READ_ERROR = 0x281,
        NVME_SC_COMPARE_FAILURE = 0x285,

        /* [4.6.1.2.4] path related */
        NVME_SC_INTERNAL_PATH_ERROR = 0x300,
};

/* [5] admin command opcodes */
enum {
        NVME_ADMIN_DELETE_SQ = 0x00,
        NVME_ADMIN_CREATE_SQ = 0x01,
        NVME_ADMIN_GET_LOG = 0x02,
        NVME_ADMIN_DELETE_CQ = 0x04,
        NVME_ADMIN_CREATE_CQ = 0x05,
        NVME_ADMIN_IDENTIFY = 0x06,
        NVME_ADMIN_ABORT = 0x08,
        NVME_ADMIN_SET_FEATURES = 0x09,
        NVME_ADMIN_GET_FEATURES = 0x0a,
        NVME_ADMIN_AER = 0x0c,
        NVME_ADMIN_SELF_TEST = 0x14,
        NVME_ADMIN_DOORBELL_BUFFER = 0x7c,
        NVME_ADMIN_FORMAT = 0x80,
};

/* [6] NVM command opcodes */
enum {
        NVME_IO_FLUSH = 0x00,               /* [6.8] */
        NVME_IO_WRITE = 0x01,               /* [6.15] */
        NVME_IO_READ = 0x02,                /* [6.9] */
        NVME_IO_WRITE_UNCORRECTABLE = 0x04, /* [6.16] */
        NVME_IO_COMPARE = 0x05,             /* [6.6] */
        NVME_IO_WRITE_ZEROES = 0x08,        /* [6.17] */
        NVME_IO_DATASET = 0x09,             /* [6.7] */
        NVME_IO_VERIFY = 0x0c,              /* [6.14] */
        NVME_IO_RESERVE_REGISTER = 0x0d,    /* [6.11] */
        NVME_IO_RESERVE_REPORT = 0x0e,      /* [6.13] */
        NVME_IO_RESERVE_ACQUIRE = 0x11,     /* [6.10] */
        NVME_IO_RESERVE_RELEASE = 0x15,     /* [6.12] */
        NVME_IO_COPY = 0x19,                /* [NVM Command Set 1.0, 3.2.2] */
};
#define NVME_IO_FUA (UINT32_C(1) << 30)  /* command dword 12 of commands that read or write blocks */
#define NVME_IO_DEAC (UINT32_C(1) << 25) /* of write zeroes: the blocks may be deallocated */

/* [6.7.1.1] a range of Dataset Management */
struct nvme_range {
        uint32_t attributes, blocks;
        uint64_t first;
};
_Static_assert(sizeof(struct nvme_range) == 16, "[6.7.1.1]");
#define NVME_RANGES_MAX 256u
#define NVME_DATASET_DEALLOCATE UINT32_C(4) /* command dword 11 */

/* [NVM Command Set 1.0, 3.2.2] a source range of Copy, descriptor format 0h */
struct nvme_copy_range {
        uint64_t reserved, first;
        uint32_t blocks; /* bits 15:0, 0's based */
        uint32_t tags[3];
};
_Static_assert(sizeof(struct nvme_copy_range) == 32, "[NVM Command Set 1.0, 3.2.2]");
#define NVME_COPY_FORMAT UINT32_C(0xf00) /* command dword 12 */

/* [4.4] a Scatter Gather List descriptor: type in bits 7:4 of the last byte, sub type in 3:0 */
struct nvme_sgl {
        uint64_t address;
        uint32_t length;
        uint8_t reserved[3], type;
};
_Static_assert(sizeof(struct nvme_sgl) == 16, "[4.4]");
enum {
        NVME_SGL_DATA = 0x00,
        NVME_SGL_BIT_BUCKET = 0x10,
        NVME_SGL_SEGMENT = 0x20,
        NVME_SGL_LAST_SEGMENT = 0x30,
};

#define NVME_NSID_ALL UINT32_C(0xffffffff)

/* [5.14.1] log page identifiers */
enum {
        NVME_LOG_ERROR = 0x01,
        NVME_LOG_SMART = 0x02,
        NVME_LOG_FIRMWARE = 0x03,
        NVME_LOG_CHANGED_NS = 0x04,
        NVME_LOG_EFFECTS = 0x05,
        NVME_LOG_SELF_TEST = 0x06,
        NVME_LOG_TELEMETRY_HOST = 0x07,
        NVME_LOG_TELEMETRY_CONTROLLER = 0x08,
        NVME_LOG_RESERVATION = 0x80,
};

/* [5.21.1] feature identifiers */
enum {
        NVME_FEAT_ARBITRATION = 0x01,
        NVME_FEAT_POWER = 0x02,
        NVME_FEAT_LBA_RANGE = 0x03,
        NVME_FEAT_TEMPERATURE = 0x04,
        NVME_FEAT_ERROR_RECOVERY = 0x05,
        NVME_FEAT_WRITE_CACHE = 0x06,
        NVME_FEAT_QUEUES = 0x07,
        NVME_FEAT_COALESCING = 0x08,
        NVME_FEAT_VECTOR = 0x09,
        NVME_FEAT_ATOMICITY = 0x0a,
        NVME_FEAT_EVENTS = 0x0b,
        NVME_FEAT_POWER_STATES = 0x0c, /* autonomous power state transitions */
        NVME_FEAT_TIMESTAMP = 0x0e,
        NVME_FEAT_HOST_BEHAVIOR = 0x16,
        NVME_FEAT_COUNT = 0x17, /* of those that lie side by side */
        NVME_FEAT_HOST_ID = 0x81,
        NVME_FEAT_RESERVATION_MASK = 0x82,
        NVME_FEAT_RESERVATION_PERSISTENCE = 0x83,
};

/* [5.2] asynchronous events: type in bits 2:0 of the result, information in 15:8, log page in 23:16 */
enum {
        NVME_EVENT_ERROR = 0,
        NVME_EVENT_SMART = 1,
        NVME_EVENT_NOTICE = 2,
        NVME_EVENT_COMMAND_SET = 6,
        NVME_EVENT_TYPES = 7, /* those that this controller can report */
};
enum {
        NVME_EVENT_ERROR_REGISTER = 0, /* write to invalid doorbell register */
        NVME_EVENT_ERROR_VALUE = 1,    /* invalid doorbell write value */
        NVME_EVENT_SMART_TEMPERATURE = 1,
        NVME_EVENT_NOTICE_NAMESPACE = 0,        /* namespace attribute changed */
        NVME_EVENT_COMMAND_SET_RESERVATION = 0, /* reservation log page available */
};
#define NVME_EVENTS_NAMESPACE (UINT32_C(1) << 8) /* bit of feature 0Bh, and of OAES */

/* [5.14.1.1] an entry of the error information log */
struct nvme_error_entry {
        uint64_t count;
        uint16_t sq_id, cid;
        uint16_t status;   /* as in the completion, phase tag in bit 0 */
        uint16_t location; /* byte 7:0, bit 10:8; ffffh: none */
        uint64_t lba;
        uint32_t nsid;
        uint8_t vendor, trtype;
        uint8_t reserved[2];
        uint64_t command_specific;
        uint16_t trtype_specific;
        uint8_t reserved2[22];
};
_Static_assert(sizeof(struct nvme_error_entry) == 64, "[5.14.1.1]");

/* [5.14.1.6] a result in the device self-test log */
struct nvme_self_test_result {
        uint8_t status; /* result in bits 3:0, code of the test in 7:4 */
        uint8_t segment, valid, reserved;
        uint8_t powered_hours[8], nsid[4], lba[8]; /* not aligned */
        uint8_t status_type, status_code, vendor[2];
};
_Static_assert(sizeof(struct nvme_self_test_result) == 28, "[5.14.1.6.1]");
#define NVME_SELF_TEST_RESULTS 20u
enum {
        NVME_SELF_TEST_SHORT = 1,
        NVME_SELF_TEST_EXTENDED = 2,
        NVME_SELF_TEST_ABORT = 15,
};
enum {
        NVME_SELF_TEST_PASSED = 0,
        NVME_SELF_TEST_ABORTED = 1,
        NVME_SELF_TEST_RESET = 2,
        NVME_SELF_TEST_REMOVED = 3,
        NVME_SELF_TEST_FORMATTED = 4,
        NVME_SELF_TEST_FAILED = 7, /* in the segment that is named */
        NVME_SELF_TEST_UNUSED = 15,
};

#define NVME_TELEMETRY_BLOCK 512u /* [5.14.1.7] */

#define NVME_DATA_SIZE 4096 /* identify structures, and the largest log page here */

#endif
