/* libpangea_ces: compress, encrypt and shard a buffer; get it back from any k of k + m shards.
 *
 * Ownership: what a call hands out through an "out" parameter belongs to the caller and is given back with
 * the matching ces_free*; buffers handed in are only read during the call. On an error nothing is handed out.
 * Threads: all calls may come from any thread, a handle may be used by several at once; one that is freed
 * during a call lives until the call ends. The library must be
 * loaded from a process that hosts no other .NET runtime version. Every call returns CES_OK or an error; the
 * message of a thread's last error is ces_last_error(). */
#ifndef PANGEA_CES_H
#define PANGEA_CES_H

#include <stddef.h>
#include <stdint.h>

#ifndef CES_EXPORT
#define CES_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CES_OK = 0,
    CES_INVALID = -32602,     /* a parameter is out of range; the message names it */
    CES_INTERNAL = -32603,    /* a defect of the library */
    CES_UNSUPPORTED = -32006, /* the .NET runtime or libzstd is missing, or a newer format */
    CES_UNAVAILABLE = -32008, /* too few shards: "needs 8 of 12 shards, has 7" */
    CES_TOO_LARGE = -32010,   /* the object would not fit into memory */
    CES_DENIED = -32012,      /* sealed with another key */
    CES_CORRUPT = -32013      /* not a shard of ours, or forged */
};

/* CES_ADAPTIVE begins as CES_ARCHIVE does and gives way, down to no compression, while compressing takes longer
 * than reading and writing; with everything in memory it soon does. */
enum { CES_BALANCED = 0, CES_NONE = 1, CES_ARCHIVE = 2, CES_ADAPTIVE = 3 };

#define CES_KEY_BYTES 32

typedef uint64_t ces_handle;

/* 0 in a field means its default: 8 + 4, 1 MiB, CES_BALANCED. */
typedef struct ces_options {
    uint32_t data_shards;
    uint32_t parity_shards;
    uint32_t stripe_bytes;
    uint32_t compression; /* one of the above */
} ces_options;

/* One shard: a self-describing byte string (docs/shard-format.md, section 7). data == NULL: lost. */
typedef struct ces_shard {
    uint8_t *data;
    size_t bytes;
} ces_shard;

/* Makes a handle with a new random key; ask ces_key for it, or what is processed is lost with the handle.
 * options may be NULL: all defaults. */
CES_EXPORT int32_t ces_new(const ces_options *options, ces_handle *out);

/* Makes a handle with the caller's 32-byte key. */
CES_EXPORT int32_t ces_new_with_key(const ces_options *options, const uint8_t *key, ces_handle *out);

/* Copies the handle's key. */
CES_EXPORT int32_t ces_key(ces_handle handle, uint8_t key[CES_KEY_BYTES]);

/* Turns data into *count shards; any data_shards of them give it back. */
CES_EXPORT int32_t ces_process(
    ces_handle handle, const uint8_t *data, size_t bytes, ces_shard **out, size_t *count);

/* Restores data from shards in any order; lost ones have data == NULL or are left out, damaged ones are
 * found and mended where enough others are there. */
CES_EXPORT int32_t ces_reconstruct(
    ces_handle handle, const ces_shard *shards, size_t count, uint8_t **out, size_t *bytes);

/* Gives back what ces_process handed out. NULL is allowed. */
CES_EXPORT void ces_free_shards(ces_shard *shards);

/* Gives back what ces_reconstruct handed out. NULL is allowed. */
CES_EXPORT void ces_free_data(uint8_t *data);

/* Ends a handle and overwrites its key. An unknown handle is ignored. */
CES_EXPORT void ces_free(ces_handle handle);

/* Message of this thread's last error, ASCII; valid until its next call. */
CES_EXPORT const char *ces_last_error(void);

#ifdef __cplusplus
}
#endif

#endif
