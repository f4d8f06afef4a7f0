/* What a kernel says of its work. Kernels know nothing of Python: module.c turns these into errors. */
#ifndef DICODEC_STATUS_H
#define DICODEC_STATUS_H

typedef enum {
    KERNEL_DONE,
    KERNEL_TRUNCATED, /* the stream ends before its last sample */
    KERNEL_CORRUPT,   /* the stream contradicts its standard */
    KERNEL_NO_ROOM,   /* the output is too small; nothing was written behind it */
    KERNEL_NO_MEMORY,
    KERNEL_NOT_SERVED, /* the library has to decide: the kernel does not know such a case */
} kernel_status;

#endif
