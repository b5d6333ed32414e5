/*
 * inject PID NUMBER [ARGUMENT...]: makes the main thread of a running process do one system call,
 * from outside, so that tests see what the very worker of the appliance may do and the worker needs
 * no door for tests. An argument is a number or @TEXT, which is put on the thread's stack.
 * Prints "returned N" or "killed by SIGNAL". Exit code 77: not on this architecture.
 */
#include <stdio.h>

#ifndef __x86_64__
int main(void) { puts("this test knows x86-64 only"); return 77; }
#else
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

static void check(long result, const char *what)
{
    if (result < 0) {
        perror(what);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 9)
        return 2;
    pid_t pid = atoi(argv[1]);
    int status;
    check(ptrace(PTRACE_ATTACH, pid, 0, 0), "attach");
    check(waitpid(pid, &status, __WALL), "wait for the stop");

    struct user_regs_struct saved, regs;
    check(ptrace(PTRACE_GETREGS, pid, 0, &saved), "read registers");
    regs = saved;
    errno = 0;
    long code = ptrace(PTRACE_PEEKTEXT, pid, saved.rip, 0);
    if (errno)
        check(-1, "read code");

    /* syscall; int3 */
    check(ptrace(PTRACE_POKETEXT, pid, saved.rip, (code & ~0xffffffL) | 0xcc050f), "write code");
    unsigned long long arguments[6] = {0};
    /* Far below the red zone, where nothing lives. */
    uint64_t room = (saved.rsp - 16384) & ~15ULL;
    for (int i = 3; i < argc; i++) {
        if (argv[i][0] != '@') {
            arguments[i - 3] = strtoll(argv[i], NULL, 0);
            continue;
        }
        char text[256] = {0};
        strncpy(text, argv[i] + 1, sizeof text - 1);
        for (size_t at = 0; at < sizeof text; at += 8) {
            long word;
            memcpy(&word, text + at, 8);
            check(ptrace(PTRACE_POKEDATA, pid, room + at, word), "write text");
        }
        arguments[i - 3] = room;
        room -= 512;
    }
    regs.rax = strtoll(argv[2], NULL, 0);
    regs.rdi = arguments[0];
    regs.rsi = arguments[1];
    regs.rdx = arguments[2];
    regs.r10 = arguments[3];
    regs.r8 = arguments[4];
    regs.r9 = arguments[5];
    regs.orig_rax = -1; /* Or the kernel would restart the call that we interrupted. */
    check(ptrace(PTRACE_SETREGS, pid, 0, &regs), "set registers");
    for (;;) {
        check(ptrace(PTRACE_CONT, pid, 0, 0), "continue");
        check(waitpid(pid, &status, __WALL), "wait for the call");
        if (WIFSIGNALED(status)) {
            printf("killed by %d\n", WTERMSIG(status));
            return 0;
        }
        if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP)
            break;
        /* Another signal, such as the runtime's own: it is dropped, the runtime asks again. */
    }
    check(ptrace(PTRACE_GETREGS, pid, 0, &regs), "read the result");
    check(ptrace(PTRACE_POKETEXT, pid, saved.rip, code), "restore code");
    check(ptrace(PTRACE_SETREGS, pid, 0, &saved), "restore registers");
    check(ptrace(PTRACE_DETACH, pid, 0, 0), "detach");
    printf("returned %lld\n", (long long)regs.rax);
    return 0;
}
#endif
