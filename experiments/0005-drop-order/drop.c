// Which thread loses what, and when: the steps of giving up root, taken in one thread of a process that has another one.
// cc -pthread -o drop drop.c && sudo ./drop
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int other_tid;

static void *wait_for_ever(void *unused)
{
    (void)unused;
    other_tid = (int)syscall(SYS_gettid);
    for (;;)
        pause(); // The C library interrupts it to change the user of this thread too.
    return NULL;
}

// Opened before the steps, so that what they do to our view of /proc does not matter.
static FILE *status_of(int tid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/status", tid);
    FILE *file = fopen(path, "r");
    setvbuf(file, NULL, _IONBF, 0);
    return file;
}

static void show(const char *who, FILE *file)
{
    char line[256];
    rewind(file);
    printf("  %-7s", who);
    while (fgets(line, sizeof line, file)) {
        if (!strncmp(line, "Uid:", 4) || !strncmp(line, "CapEff:", 7) || !strncmp(line, "CapBnd:", 7)
            || !strncmp(line, "NoNewPrivs:", 11)) {
            char name[32], value[64];
            sscanf(line, "%31s %63s", name, value);
            printf(" %s%s", name, value);
        }
    }
    printf("\n");
}

static const char *outcome(long result) { return result < 0 ? strerror(errno) : "ok"; }

static long clear_caps(void)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[2] = {{0}};
    return syscall(SYS_capset, &header, none);
}

static void bounding(void)
{
    long failed = 0;
    for (int cap = 0; cap <= 40; cap++)
        failed += prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0;
    printf("  bounding set: %ld of 41 refused\n", failed);
}

static void scenario(const char *name, void (*steps)(void), int with_thread)
{
    fflush(stdout);
    if (fork() == 0) {
        pthread_t thread;
        printf("%s\n", name);
        if (with_thread) {
            pthread_create(&thread, NULL, wait_for_ever, NULL);
            while (!other_tid)
                usleep(1000);
        }
        FILE *own = status_of((int)syscall(SYS_gettid));
        FILE *other = with_thread ? status_of(other_tid) : NULL;
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        steps();
        clock_gettime(CLOCK_MONOTONIC, &b);
        show("caller", own);
        if (with_thread)
            show("other", other);
        printf("  %.0f us\n", (b.tv_sec - a.tv_sec) * 1e6 + (b.tv_nsec - a.tv_nsec) / 1e3);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

static void raw_user(void) { printf("  setresuid by system call: %s\n", outcome(syscall(SYS_setresuid, 61183, 61183, 61183))); }

static void library_user(void) { printf("  setresuid of the C library: %s\n", outcome(setresuid(61183, 61183, 61183))); }

static void caps_then_nnp(void)
{
    printf("  capset: %s\n", outcome(clear_caps()));
    printf("  no_new_privs: %s\n", outcome(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
}

static void caps_before_user(void)
{
    printf("  capset: %s\n", outcome(clear_caps()));
    printf("  then setgroups: %s\n", outcome(syscall(SYS_setgroups, 0, NULL)));
    printf("  then setresuid: %s\n", outcome(syscall(SYS_setresuid, 61183, 61183, 61183)));
}

static void user_before_groups(void)
{
    printf("  setresuid: %s\n", outcome(setresuid(61183, 61183, 61183)));
    printf("  then setgroups: %s\n", outcome(setgroups(0, NULL)));
    bounding();
}

static void ours(void)
{
    bounding();
    printf("  setgroups: %s\n", outcome(setgroups(0, NULL)));
    printf("  setresgid: %s\n", outcome(setresgid(61183, 61183, 61183)));
    printf("  setresuid: %s\n", outcome(setresuid(61183, 61183, 61183)));
    printf("  capset: %s\n", outcome(clear_caps()));
    printf("  no_new_privs: %s\n", outcome(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
}

int main(void)
{
    scenario("1. user, by system call", raw_user, 1);
    scenario("2. user, by the C library", library_user, 1);
    scenario("3. capabilities and no_new_privs", caps_then_nnp, 1);
    scenario("4. capabilities before the user", caps_before_user, 1);
    scenario("5. user before groups and bounding set", user_before_groups, 1);
    scenario("6. the jail's order, with another thread", ours, 1);
    scenario("7. the jail's order, one thread", ours, 0);
    return 0;
}
