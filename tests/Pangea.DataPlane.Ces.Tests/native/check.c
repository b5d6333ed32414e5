/* Calls every function of libpangea_ces as a stranger would; exits 0 only if all behave as the header says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pangea_ces.h"

#define CHECK(condition) \
    do { \
        if (!(condition)) { \
            printf("line %d: %s; last error: %s\n", __LINE__, #condition, ces_last_error()); \
            exit(1); \
        } \
    } while (0)

static void round_trip(ces_handle handle, size_t bytes, int is_random)
{
    uint8_t *data = malloc(bytes + 1), *restored = NULL;
    size_t count = 0, restored_bytes = 0;
    ces_shard *shards = NULL;
    for (size_t i = 0; i < bytes; i++) {
        data[i] = is_random ? (uint8_t)(rand() >> 7) : (uint8_t)("shards and stripes "[i % 19]);
    }
    CHECK(ces_process(handle, bytes ? data : NULL, bytes, &shards, &count) == CES_OK);
    CHECK(count == 12);

    /* Four lost, then one of the rest damaged as well. */
    uint8_t *kept[12];
    for (size_t i = 0; i < count; i++) {
        kept[i] = shards[i].data;
    }
    shards[0].data = shards[3].data = shards[7].data = shards[11].data = NULL;
    CHECK(ces_reconstruct(handle, shards, count, &restored, &restored_bytes) == CES_OK);
    CHECK(restored_bytes == bytes && memcmp(restored, data, bytes) == 0);
    ces_free_data(restored);
    if (bytes > 0) {
        shards[5].data[130] ^= 1;
        CHECK(ces_reconstruct(handle, shards, count, &restored, &restored_bytes)
            == CES_UNAVAILABLE);
        CHECK(strstr(ces_last_error(), "needs 8 of 12 shards, has 7"));
        shards[0].data = kept[0];
        CHECK(ces_reconstruct(handle, shards, count, &restored, &restored_bytes) == CES_OK);
        CHECK(restored_bytes == bytes && memcmp(restored, data, bytes) == 0);
        ces_free_data(restored);
    }
    ces_free_shards(shards);
    free(data);
}

int main(void)
{
    ces_handle handle = 0, other = 0;
    CHECK(ces_new(NULL, &handle) == CES_OK);
    round_trip(handle, 0, 0);
    round_trip(handle, 1, 0);
    round_trip(handle, 4096, 1);
    round_trip(handle, 3000000, 0);
    round_trip(handle, 3000000, 1);

    /* A second handle with the same key reads what the first one wrote; another key does not. */
    uint8_t key[CES_KEY_BYTES], *restored;
    size_t count, bytes;
    ces_shard *shards;
    CHECK(ces_key(handle, key) == CES_OK);
    CHECK(ces_process(handle, (const uint8_t *)"hello", 5, &shards, &count) == CES_OK);
    CHECK(ces_new_with_key(NULL, key, &other) == CES_OK);
    CHECK(ces_reconstruct(other, shards, count, &restored, &bytes) == CES_OK);
    CHECK(bytes == 5 && memcmp(restored, "hello", 5) == 0);
    ces_free_data(restored);
    ces_free(other);
    key[0] ^= 1;
    CHECK(ces_new_with_key(NULL, key, &other) == CES_OK);
    CHECK(ces_reconstruct(other, shards, count, &restored, &bytes) == CES_DENIED);
    ces_free_shards(shards);

    /* Misuse is an error, not a crash. */
    ces_options impossible = {200, 100, 0, 0}, small = {0, 0, 5, 0}, odd = {0, 0, 0, 9};
    ces_options endless = {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0}, adaptive = {0, 0, 4096, CES_ADAPTIVE};
    uint8_t garbage[500] = {1, 2, 3};
    ces_shard no_shard = {garbage, sizeof garbage}, none = {NULL, 0};
    ces_shard negative = {garbage, SIZE_MAX / 2 + 1}, wrapping = {garbage, SIZE_MAX};
    CHECK(ces_new(&impossible, &other) == CES_INVALID);
    CHECK(strstr(ces_last_error(), "200+100"));
    CHECK(ces_new(&endless, &other) == CES_INVALID);
    CHECK(ces_new(&small, &other) == CES_INVALID);
    CHECK(ces_new(&odd, &other) == CES_INVALID);
    CHECK(ces_new(NULL, NULL) == CES_INVALID);
    CHECK(ces_reconstruct(handle, &no_shard, 1, &restored, &bytes) == CES_CORRUPT);
    CHECK(ces_reconstruct(handle, &negative, 1, &restored, &bytes) == CES_INVALID);
    CHECK(ces_reconstruct(handle, &wrapping, 1, &restored, &bytes) == CES_INVALID);
    CHECK(ces_new(&adaptive, &other) == CES_OK);
    round_trip(other, 500000, 0);
    ces_free(other);
    CHECK(ces_reconstruct(handle, &none, 1, &restored, &bytes) == CES_UNAVAILABLE);
    CHECK(ces_reconstruct(handle, NULL, 0, &restored, &bytes) == CES_UNAVAILABLE);
    CHECK(ces_process(handle, NULL, 5, &shards, &count) == CES_INVALID);
    CHECK(ces_process(9999, key, 5, &shards, &count) == CES_INVALID);
    ces_free(handle);
    ces_free(handle);
    ces_free_shards(NULL);
    ces_free_data(NULL);
    CHECK(ces_process(handle, key, 5, &shards, &count) == CES_INVALID);
    puts("ok");
    return 0;
}
