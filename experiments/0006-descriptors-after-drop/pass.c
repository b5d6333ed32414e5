// What a process without any privilege can still do with descriptors that one with privilege opened and passed to it.
// cc -o pass pass.c && sudo ./pass
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <grp.h>

enum { KEY, DIRECTORY, PORT, PACKETS, COUNT };

static const char *says(long result) { return result < 0 ? strerror(errno) : "yes"; }

static void drop(void)
{
    for (int cap = 0; cap <= 40; cap++)
        prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
    setgroups(0, NULL);
    setresgid(61183, 61183, 61183);
    setresuid(61183, 61183, 61183);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void use(int *fds)
{
    char bytes[16];
    struct stat status;
    printf("read the key file that root alone may open: %s\n", says(pread(fds[KEY], bytes, 6, 0)));
    printf("  open it again by path: %s\n", says(open("/tmp/pass-key", O_RDONLY)));
    printf("  open it again through /proc/self/fd: ");
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fds[KEY]);
    printf("%s\n", says(open(path, O_RDONLY)));
    printf("make a file in a directory of its own below one that is closed: %s\n",
        says(openat(fds[DIRECTORY], "made", O_CREAT | O_RDWR, 0600)));
    printf("  leave it upwards with ..: %s\n", says(openat(fds[DIRECTORY], "../secret", O_RDONLY)));
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(700), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    printf("send from UDP port 700: %s\n", says(sendto(fds[PORT], "x", 1, 0, (struct sockaddr *)&to, sizeof to)));
    int own = socket(AF_INET, SOCK_DGRAM, 0);
    printf("  bind another socket below 1024: %s\n", says(bind(own, (struct sockaddr *)&(struct sockaddr_in)
        { .sin_family = AF_INET, .sin_port = htons(701) }, sizeof to)));
    if (fds[PACKETS] >= 0) {
        printf("receive on a packet socket: %s\n", says(recv(fds[PACKETS], bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC)));
        printf("  make another packet socket: %s\n", says(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL))));
        printf("  make the first one promiscuous: %s\n", says(setsockopt(fds[PACKETS], SOL_PACKET, PACKET_ADD_MEMBERSHIP,
            &(struct packet_mreq) { .mr_ifindex = (int)if_nametoindex("lo"), .mr_type = PACKET_MR_PROMISC },
            sizeof(struct packet_mreq))));
    }
    printf("stat tells what came: file %d, directory %d\n", fstat(fds[KEY], &status) == 0 && S_ISREG(status.st_mode),
        fstat(fds[DIRECTORY], &status) == 0 && S_ISDIR(status.st_mode));
}

int main(void)
{
    mkdir("/tmp/pass-closed", 0700);
    mkdir("/tmp/pass-closed/own", 0700);
    if (chown("/tmp/pass-closed/own", 61183, 61183) < 0)
        perror("chown");
    close(open("/tmp/pass-closed/secret", O_CREAT | O_WRONLY, 0600));
    int fds[COUNT] = { open("/tmp/pass-key", O_CREAT | O_RDWR, 0600), open("/tmp/pass-closed/own", O_DIRECTORY | O_RDONLY),
        socket(AF_INET, SOCK_DGRAM, 0), socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)) };
    if (write(fds[KEY], "secret", 6) < 0 || bind(fds[PORT], (struct sockaddr *)&(struct sockaddr_in)
        { .sin_family = AF_INET, .sin_port = htons(700) }, sizeof(struct sockaddr_in)) < 0)
        perror("prepare");
    int pair[2];
    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
    char control[CMSG_SPACE(sizeof fds)] = { 0 }, byte = 0;
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    if (fork() == 0) {
        drop();
        close(pair[0]);
        struct timespec a, b;
        int got[COUNT];
        recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC);
        memcpy(got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof got);
        use(got);
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (int i = 0; i < 100000; i++) {
            message.msg_controllen = sizeof control;
            recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC);
            memcpy(got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof got);
            for (int j = 0; j < COUNT; j++)
                if (got[j] >= 0)
                    close(got[j]);
        }
        clock_gettime(CLOCK_MONOTONIC, &b);
        printf("a message with %d descriptors, sent, received, closed: %.1f us\n", COUNT,
            ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / 1e5 / 1e3);
        fflush(stdout);
        _exit(0);
    }
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(header), fds, sizeof fds);
    for (int i = 0; i <= 100000; i++)
        sendmsg(pair[0], &message, MSG_NOSIGNAL);
    wait(NULL);
    unlink("/tmp/pass-closed/own/made");
    unlink("/tmp/pass-closed/secret");
    rmdir("/tmp/pass-closed/own");
    rmdir("/tmp/pass-closed");
    unlink("/tmp/pass-key");
    return 0;
}
