/*
 * echo.c - TCP echo: a raw epoll server, and the load for any server
 *
 *   bench_echo server                      prints its port; a connection ends
 *                                          with its client
 *   bench_echo load CONNS BYTES MS CMD...  starts CMD, reads the port from its
 *                                          first line, and prints the result
 *
 * The load is closed: each connection sends BYTES, waits for all of them, and
 * sends again.  {"kops": round trips per ms, "cpu_us": CPU time of the server
 * per round trip}
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_SIZE = 65536, EVENTS_MAX = 256, CONNS_MAX = 20000 };

static char buffer[BUFFER_SIZE];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void set_nodelay(int fd)
{
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void watch(int epfd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) < 0) {
        die("epoll_ctl");
    }
}

/* ---- the raw server ----------------------------------------------------- */

static void accept_all(int epfd, int listener)
{
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        set_nodelay(fd);
        watch(epfd, fd);
    }
}

/* One receive per event: what is left is reported again. */
static void serve(int fd)
{
    ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        close(fd);
        return;
    }
    for (ssize_t done = 0; done < n;) {
        ssize_t sent =
            send(fd, buffer + done, (size_t)(n - done), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            return;
        }
        done += sent > 0 ? sent : 0;
    }
}

static int listen_anywhere(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) < 0 ||
        listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) < 0) {
        die("listen");
    }
    printf("%d\n", ntohs(addr.sin_port));
    fflush(stdout);
    return fd;
}

static _Noreturn void run_server(void)
{
    struct epoll_event events[EVENTS_MAX];
    int listener = listen_anywhere();
    int epfd = epoll_create1(0);

    watch(epfd, listener);
    for (;;) { /* until it is killed */
        int n = epoll_wait(epfd, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener) {
                accept_all(epfd, listener);
            } else {
                serve(events[i].data.fd);
            }
        }
    }
}

/* ---- the load ----------------------------------------------------------- */

typedef struct Load {
    int conns;
    size_t bytes;
    int epfd;
    size_t missing[CONNS_MAX * 2]; /* by descriptor */
    uint64_t rounds;
} Load;

static Load load;

static void send_one(int fd)
{
    size_t done = 0;

    load.missing[fd] = load.bytes;
    while (done < load.bytes) {
        ssize_t n = send(fd, buffer, load.bytes - done, MSG_NOSIGNAL);
        if (n < 0) {
            die("send");
        }
        done += (size_t)n;
    }
}

static void receive_some(int fd)
{
    static char sink[BUFFER_SIZE];
    ssize_t n = recv(fd, sink, load.missing[fd], MSG_DONTWAIT);

    if (n <= 0) {
        die("recv");
    }
    load.missing[fd] -= (size_t)n;
    if (load.missing[fd] == 0) {
        load.rounds++;
        send_one(fd);
    }
}

static void connect_all(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    for (int i = 0; i < load.conns; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0 || fd >= CONNS_MAX * 2 ||
            connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
            die("connect");
        }
        set_nodelay(fd);
        watch(load.epfd, fd);
        send_one(fd);
    }
}

static void run_until(double end)
{
    struct epoll_event events[EVENTS_MAX];

    while (now_ms() < end) {
        int n = epoll_wait(load.epfd, events, EVENTS_MAX, 100);
        for (int i = 0; i < n; i++) {
            receive_some(events[i].data.fd);
        }
    }
}

/* Microseconds of CPU that the main thread of @pid has used so far. */
static double cpu_of(pid_t pid)
{
    unsigned long ns = 0;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f || fscanf(f, "%lu", &ns) != 1) {
        die(path);
    }
    fclose(f);
    return (double)ns / 1e3;
}

static pid_t start_server(char **argv, int *port)
{
    int fds[2];

    if (pipe(fds) < 0) {
        die("pipe");
    }
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        execvp(argv[0], argv);
        die(argv[0]);
    }
    close(fds[1]);
    FILE *out = fdopen(fds[0], "r");
    if (!out || fscanf(out, "%d", port) != 1) {
        fprintf(stderr, "%s: no port\n", argv[0]);
        exit(1);
    }
    return pid;
}

static int run_load(int argc, char **argv)
{
    int port;

    if (argc < 4) {
        fprintf(stderr, "bench_echo load CONNS BYTES MS CMD...\n");
        return 1;
    }
    load.conns = atoi(argv[0]);
    load.bytes = strtoul(argv[1], NULL, 10);
    double ms = atof(argv[2]);
    if (load.conns > CONNS_MAX || load.bytes > sizeof(buffer)) {
        fprintf(stderr, "too many connections or bytes\n");
        return 1;
    }
    pid_t server = start_server(argv + 3, &port);
    load.epfd = epoll_create1(0);
    connect_all(port);
    run_until(now_ms() + ms / 4); /* warm */
    uint64_t before = load.rounds;
    double cpu = cpu_of(server), start = now_ms();
    run_until(start + ms);
    double took = now_ms() - start;
    uint64_t rounds = load.rounds - before;
    cpu = cpu_of(server) - cpu;
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    printf("{\"kops\": %.3f, \"cpu_us\": %.3f}\n", (double)rounds / took,
           cpu / (double)(rounds ? rounds : 1));
    return 0;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && strcmp(argv[1], "server") == 0) {
        run_server();
    }
    if (argc > 1 && strcmp(argv[1], "load") == 0) {
        return run_load(argc - 2, argv + 2);
    }
    fprintf(stderr, "bench_echo server | load ...\n");
    return 1;
}
