/* The load generator: carries out a plan (bench/plan.py writes it) against WebSocket servers, and keeps what arrives.
 *
 * One thread and epoll, so that the generator is never the slow part. Clients join in stages; then everybody sends at
 * the moments that the plan says, whether or not the server keeps up. Beside each step the CPU time and the memory of
 * the servers' processes are read, in this thread, so that a figure covers exactly what it says.
 *
 *     load PLAN OUT PID[,PID...]
 *
 * On standard output: one JSON line a mark, then one of totals. Files: OUT.connections, OUT.sent, OUT.received (see the
 * structs below, and bench/load.py). The clients stay connected until standard input ends, so that the caller can look
 * at the document while it is open.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PROBE = 1, STOPS_READING = 2, HOCUSPOCUS = 4 };                     /* flags of a connection */
enum { FIRST, MAIN, LATE, STAGES };                                        /* when a connection joins */
enum { NEW, HANDSHAKE, OPEN, CLOSED };                                     /* its life */
enum { CONTINUATION = 0, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };     /* WebSocket opcodes */
enum { SYNC = 0, AWARENESS = 1, SYNC_REPLY = 4 };                          /* messages; 4 is Hocuspocus' */
enum { STEP1 = 0, STEP2 = 1, UPDATE = 2 };
enum { SENDS_A_TURN = 16, EVENTS_A_TURN = 512, STDIN_EVENT = 0 };

typedef struct {
  double due_s, sent_s;
  uint32_t size;
  uint8_t *bytes;
} message;

/* What OUT.connections holds for each connection. */
typedef struct {
  double started_s, opened_s, synced_s;
  uint64_t step2_bytes, step2_hash, update_frames, update_bytes, update_hash, other_frames, reads;
  int64_t close_code; /* 0: still open; 1006: closed without a close frame */
} outcome;

typedef struct {
  int fd, state;
  uint16_t port;
  uint8_t flags, stage;
  bool synced;
  char *path;
  message hello, answer; /* the frames sent once it is open; the answer to a SyncStep1 */
  uint32_t sends;
  message *send;
  uint8_t *in, *out;
  size_t in_size, in_space, out_size;
  outcome result;
} connection;

/* What OUT.received holds before the bytes of each recorded message. */
typedef struct {
  double time_s;
  uint32_t connection, size;
} __attribute__((packed)) received;

typedef struct {
  uint32_t connection, number;
  double due_s;
} turn;

static struct {
  uint32_t connections, pending_max;
  double hold_s, quiet_s, warm_s, late_s, limit_s;
} __attribute__((packed)) plan;

static connection *clients;
static turn *turns;
static size_t turns_count;
static int poller;
static double last_read_s;
static uint64_t synced_in[STAGES], closed_in[STAGES], total_in[STAGES], started_in[STAGES], reads_total, frames_total;
static uint8_t *kept;
static size_t kept_size, kept_space;
static int pids[64];
static int pids_count;
static uint8_t read_buffer[1 << 20];

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* FNV-1a, eight bytes at a time: a storm of joins brings hundreds of megabytes. */
static uint64_t hash_on(uint64_t hash, const uint8_t *bytes, size_t size) {
  for (uint64_t word; size >= sizeof word; bytes += sizeof word, size -= sizeof word) {
    memcpy(&word, bytes, sizeof word);
    hash = (hash ^ word) * 1099511628211u;
  }
  for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 1099511628211u;
  return hash;
}

/* ------------------------------------------------------------------ the servers' CPU and memory */

static uint64_t cpu_ns_of(int pid) {
  clockid_t clock; /* the scheduler's own count for all threads, those that have ended too */
  struct timespec t;
  if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t)) return 0;
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static long resident_kib_of(int pid) {
  char name[64];
  long pages = 0;
  snprintf(name, sizeof name, "/proc/%d/statm", pid);
  FILE *file = fopen(name, "r");
  if (!file) return 0;
  if (fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
  fclose(file);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void mark(const char *name) {
  double at_s = now_s();
  uint64_t cpu_ns = 0;
  long resident_kib = 0;
  for (int i = 0; i < pids_count; i++) {
    cpu_ns += cpu_ns_of(pids[i]);
    resident_kib += resident_kib_of(pids[i]);
  }
  printf("{\"mark\":\"%s\",\"at_s\":%.6f,\"cpu_ns\":%lu,\"resident_kib\":%ld}\n", name, at_s, cpu_ns, resident_kib);
  fflush(stdout);
}

/* ------------------------------------------------------------------ sockets */

static void watch(connection *c, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
}

static bool wants_to_read(const connection *c) { return !(c->synced && c->flags & STOPS_READING); }

static void watch_as_needed(connection *c) {
  watch(c, (wants_to_read(c) ? EPOLLIN : 0u) | (c->out_size || c->state == NEW ? EPOLLOUT : 0u));
}

static void write_bytes(connection *c, const uint8_t *bytes, size_t size) {
  if (c->state == CLOSED) return;
  if (!c->out_size) {
    ssize_t sent = send(c->fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return; /* the read that follows tells */
    if (sent > 0) bytes += sent, size -= (size_t)sent;
  }
  if (!size) return;
  c->out = realloc(c->out, c->out_size + size);
  memcpy(c->out + c->out_size, bytes, size);
  c->out_size += size;
  watch_as_needed(c);
}

static void flush(connection *c) {
  ssize_t sent = send(c->fd, c->out, c->out_size, MSG_NOSIGNAL);
  if (sent > 0) memmove(c->out, c->out + sent, c->out_size -= (size_t)sent);
  watch_as_needed(c);
}

static void start(connection *c) {
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->fd < 0) fail("socket");
  int one = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(c->port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  c->result.started_s = now_s();
  if (connect(c->fd, (void *)&address, sizeof address) < 0 && errno != EINPROGRESS) fail("connect");
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event);
  started_in[c->stage]++;
}

static void end(connection *c, int code) {
  if (!c->result.close_code) c->result.close_code = code;
  c->state = CLOSED;
  if (!c->synced) closed_in[c->stage]++;
  close(c->fd);
}

static void ask_for_upgrade(connection *c) {
  char request[4096];
  int size = snprintf(request, sizeof request,
                      "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                      c->path, c->port);
  c->state = HANDSHAKE;
  watch_as_needed(c);
  write_bytes(c, (uint8_t *)request, (size_t)size);
}

/* ------------------------------------------------------------------ messages */

static void keep(const connection *c, const uint8_t *bytes, size_t size, double at_s) {
  if (!(c->flags & PROBE)) return;
  received head = {at_s, (uint32_t)(c - clients), (uint32_t)size};
  if (kept_size + sizeof head + size > kept_space) {
    kept_space = kept_space * 2 + size + (1 << 20);
    if (!(kept = realloc(kept, kept_space))) fail("memory");
  }
  memcpy(kept + kept_size, &head, sizeof head);
  memcpy(kept + kept_size + sizeof head, bytes, size);
  kept_size += sizeof head + size;
}

static void on_sync(connection *c, const uint8_t *body, size_t size, double at_s) {
  outcome *r = &c->result;
  if (body[1] == STEP1) {
    write_bytes(c, c->answer.bytes, c->answer.size);
  } else if (body[1] == STEP2) {
    keep(c, body, size, at_s);
    r->step2_bytes += size;
    r->step2_hash = hash_on(r->step2_hash, body + 2, size - 2);
    if (c->synced) return;
    c->synced = true;
    r->synced_s = at_s;
    synced_in[c->stage]++;
    if (c->flags & STOPS_READING) watch_as_needed(c);
  } else {
    keep(c, body, size, at_s);
    r->update_frames++;
    r->update_bytes += size;
    r->update_hash = hash_on(r->update_hash, body, size);
    frames_total++;
  }
}

static void on_message(connection *c, const uint8_t *body, size_t size, double at_s) {
  if (c->flags & HOCUSPOCUS) { /* before the message stands the name of its document */
    size_t address = size ? (size_t)body[0] + 1 : 0;
    if (address >= size) return;
    body += address, size -= address;
  }
  if (size >= 2 && (body[0] == SYNC || body[0] == SYNC_REPLY)) {
    on_sync(c, body, size, at_s);
  } else {
    if (size && body[0] == AWARENESS) keep(c, body, size, at_s);
    c->result.other_frames++;
  }
}

static void on_frame(connection *c, int opcode, uint8_t *payload, size_t size, double at_s) {
  if (opcode == BINARY || opcode == CONTINUATION) {
    on_message(c, payload, size, at_s);
  } else if (opcode == PING && size < 126) {
    uint8_t pong[6 + 126] = {0x80 | PONG, 0x80 | (uint8_t)size};
    memcpy(pong + 6, payload, size); /* masked with zeros */
    write_bytes(c, pong, 6 + size);
  } else if (opcode == CLOSE) {
    c->result.close_code = size >= 2 ? payload[0] << 8 | payload[1] : 1005;
  }
}

static size_t read_handshake(connection *c, uint8_t *bytes, size_t size, double at_s) {
  uint8_t *stop = memmem(bytes, size, "\r\n\r\n", 4);
  if (!stop) return 0;
  if (memcmp(bytes, "HTTP/1.1 101", 12)) {
    fprintf(stderr, "the server refused %s: %.*s\n", c->path, (int)(size < 300 ? size : 300), bytes);
    exit(3);
  }
  c->state = OPEN;
  c->result.opened_s = at_s;
  write_bytes(c, c->hello.bytes, c->hello.size);
  return (size_t)(stop - bytes) + 4;
}

static size_t read_frame(connection *c, uint8_t *bytes, size_t size, double at_s) {
  if (size < 2) return 0;
  size_t head = 2;
  uint64_t length = bytes[1] & 127;
  size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
  if (more) {
    if (size < 2 + more) return 0;
    length = 0;
    for (size_t i = 0; i < more; i++) length = length << 8 | bytes[2 + i];
    head += more;
  }
  if (size < head + length) return 0;
  on_frame(c, bytes[0] & 15, bytes + head, length, at_s);
  return head + length;
}

/* Parse what has arrived; what is not complete yet stays in c->in. */
static void parse(connection *c, uint8_t *bytes, size_t size, double at_s) {
  if (c->in_size) {
    if (c->in_size + size > c->in_space) c->in = realloc(c->in, c->in_space = (c->in_size + size) * 2);
    memcpy(c->in + c->in_size, bytes, size);
    size += c->in_size;
    bytes = c->in;
  }
  size_t done = 0, step;
  do {
    step = c->state == HANDSHAKE ? read_handshake(c, bytes + done, size - done, at_s)
                                 : read_frame(c, bytes + done, size - done, at_s);
    done += step;
  } while (step && c->state != CLOSED);
  size_t rest = size - done;
  if (rest > c->in_space) c->in = realloc(c->in, c->in_space = rest * 2);
  if (rest) memmove(c->in, bytes + done, rest);
  c->in_size = rest;
  if (!rest && c->in_space > 65536) {
    free(c->in);
    c->in = NULL;
    c->in_space = 0;
  }
}

static void on_event(struct epoll_event *event) {
  connection *c = event->data.ptr;
  if (c->state == CLOSED) return;
  if (event->events & EPOLLOUT) {
    if (c->state == NEW)
      ask_for_upgrade(c);
    else if (c->out_size)
      flush(c);
  }
  if (!(event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  if (!wants_to_read(c)) {
    if (event->events & (EPOLLHUP | EPOLLERR)) end(c, 1006);
    return;
  }
  ssize_t size = recv(c->fd, read_buffer, sizeof read_buffer, 0);
  double at_s = now_s();
  if (size <= 0) {
    if (size < 0 && errno == EAGAIN) return;
    end(c, 1006);
    return;
  }
  c->result.reads++;
  reads_total++;
  last_read_s = at_s;
  parse(c, read_buffer, (size_t)size, at_s);
}

/* Handle what happens until `wait_s` have passed without an event; return false once standard input has ended. */
static bool turn_of_events(double wait_s) {
  struct epoll_event events[EVENTS_A_TURN];
  if (wait_s < 0) wait_s = 0;
  struct timespec wait = {(time_t)wait_s, (long)((wait_s - (double)(time_t)wait_s) * 1e9)};
  int count = epoll_pwait2(poller, events, EVENTS_A_TURN, &wait, NULL);
  for (int i = 0; i < count; i++) {
    if (!events[i].data.ptr) return false;
    on_event(events + i);
  }
  return true;
}

/* ------------------------------------------------------------------ the plan */

static void take(FILE *file, void *into, size_t size) {
  if (size && fread(into, 1, size, file) != size) fail("the plan is too short");
}

static void take_message(FILE *file, message *into) {
  take(file, &into->size, sizeof into->size);
  into->bytes = malloc(into->size + 1);
  take(file, into->bytes, into->size);
}

static void take_connection(FILE *file, connection *c) {
  uint16_t path_size;
  c->fd = -1;
  take(file, &c->port, sizeof c->port);
  take(file, &c->flags, sizeof c->flags);
  take(file, &c->stage, sizeof c->stage);
  take(file, &path_size, sizeof path_size);
  c->path = calloc(1, path_size + 1u);
  take(file, c->path, path_size);
  take_message(file, &c->hello);
  take_message(file, &c->answer);
  take(file, &c->sends, sizeof c->sends);
  c->send = calloc(c->sends + 1u, sizeof *c->send);
  for (uint32_t i = 0; i < c->sends; i++) {
    take(file, &c->send[i].due_s, sizeof c->send[i].due_s);
    take_message(file, c->send + i);
  }
  total_in[c->stage]++;
  turns_count += c->sends;
}

static int earlier(const void *a, const void *b) {
  double x = ((const turn *)a)->due_s, y = ((const turn *)b)->due_s;
  return (x > y) - (x < y);
}

static void read_plan(const char *name) {
  FILE *file = fopen(name, "rb");
  if (!file) fail(name);
  take(file, &plan, sizeof plan);
  clients = calloc(plan.connections, sizeof *clients);
  for (uint32_t i = 0; i < plan.connections; i++) take_connection(file, clients + i);
  fclose(file);
  turns = calloc(turns_count + 1, sizeof *turns);
  size_t next = 0;
  for (uint32_t i = 0; i < plan.connections; i++)
    for (uint32_t k = 0; k < clients[i].sends; k++) turns[next++] = (turn){i, k, clients[i].send[k].due_s};
  qsort(turns, turns_count, sizeof *turns, earlier);
}

/* ------------------------------------------------------------------ what is done, in order */

static bool stage_is_complete(int stage) { return synced_in[stage] + closed_in[stage] == total_in[stage]; }

static void start_more(int stage, uint32_t *next) {
  uint64_t pending = started_in[stage] - synced_in[stage] - closed_in[stage];
  for (; *next < plan.connections && pending < plan.pending_max; (*next)++)
    if (clients[*next].stage == stage) start(clients + *next), pending++;
}

/* Wait until nothing has arrived for a while: presence and other greetings still do, once everybody is synced. */
static void settle(void) {
  double began_s = now_s();
  last_read_s = began_s;
  while (now_s() - last_read_s < 0.3 && now_s() - began_s < 5) turn_of_events(0.05);
}

static void join(int stage) {
  uint32_t next = 0;
  double until_s = now_s() + plan.limit_s;
  while (!stage_is_complete(stage) && now_s() < until_s) {
    start_more(stage, &next);
    turn_of_events(0.1);
  }
}

static void send_due(size_t *next, double begin_s, double *late_s) {
  for (int n = 0; n < SENDS_A_TURN && *next < turns_count && begin_s + turns[*next].due_s <= now_s(); n++, (*next)++) {
    connection *c = clients + turns[*next].connection;
    message *m = c->send + turns[*next].number;
    m->sent_s = now_s();
    if (m->sent_s - begin_s - m->due_s > *late_s) *late_s = m->sent_s - begin_s - m->due_s;
    write_bytes(c, m->bytes, m->size);
  }
}

static double talk(void) {
  double begin_s = now_s(), late_s = 0, t;
  size_t next = 0;
  uint32_t next_late = 0;
  bool warm = false, stormed = !total_in[LATE], storming = false;
  last_read_s = begin_s;
  while ((t = now_s()) - begin_s < plan.limit_s) {
    if (!warm && t >= begin_s + plan.warm_s) mark("warm"), warm = true;
    if (!stormed && t >= begin_s + plan.late_s) {
      if (!storming) mark("storm"), storming = true;
      start_more(LATE, &next_late);
      if (stage_is_complete(LATE)) mark("stormed"), stormed = true;
    }
    send_due(&next, begin_s, &late_s);
    double due_s = next < turns_count ? begin_s + turns[next].due_s : now_s() + 0.05;
    if (next == turns_count && stormed && warm && now_s() - last_read_s > plan.quiet_s) break;
    if (due_s > now_s() + 0.02) due_s = now_s() + 0.02;
    turn_of_events(due_s - now_s());
  }
  return late_s;
}

static void save(const char *prefix, const char *suffix, const void *bytes, size_t size, size_t count, size_t stride) {
  char name[512];
  snprintf(name, sizeof name, "%s.%s", prefix, suffix);
  FILE *file = fopen(name, "wb");
  if (!file) fail(name);
  for (size_t i = 0; i < count; i++)
    if (fwrite((const uint8_t *)bytes + i * stride, 1, size, file) != size) fail(name);
  fclose(file);
}

static void save_sent(const char *prefix) {
  double *times = calloc(turns_count + 1, sizeof *times);
  size_t next = 0;
  for (uint32_t i = 0; i < plan.connections; i++)
    for (uint32_t k = 0; k < clients[i].sends; k++) times[next++] = clients[i].send[k].sent_s;
  save(prefix, "sent", times, sizeof *times, turns_count, sizeof *times);
  free(times);
}

int main(int count, char **arguments) {
  if (count != 4) {
    fprintf(stderr, "usage: load PLAN OUT PID[,PID...]\n");
    return 64;
  }
  for (char *p = strtok(arguments[3], ","); p && pids_count < 64; p = strtok(NULL, ",")) pids[pids_count++] = atoi(p);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  prctl(PR_SET_TIMERSLACK, 1000);
  read_plan(arguments[1]);
  poller = epoll_create1(0);

  mark("start");
  join(FIRST);
  settle();
  mark("first");
  join(MAIN);
  mark("synced");
  settle();
  for (double until_s = now_s() + plan.hold_s; now_s() < until_s;) turn_of_events(0.05);
  mark("joined");
  kept_size = total_in[LATE] ? kept_size : 0; /* what was read while joining is of interest in a storm only */
  for (uint32_t i = 0; i < plan.connections; i++) {
    outcome *r = &clients[i].result;
    r->update_frames = r->update_bytes = r->update_hash = 0;
  }
  frames_total = reads_total = 0;
  double late_s = talk();
  mark("done");

  save(arguments[2], "received", kept, kept_size, kept_size ? 1 : 0, kept_size);
  save(arguments[2], "connections", &clients[0].result, sizeof(outcome), plan.connections, sizeof(connection));
  save_sent(arguments[2]);
  struct rusage own;
  getrusage(RUSAGE_SELF, &own);
  printf("{\"update_frames\":%lu,\"reads\":%lu,\"last_read_s\":%.6f,\"send_late_s\":%.6f,\"own_cpu_s\":%.3f}\n", frames_total,
         reads_total, last_read_s, late_s,
         (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) + (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) * 1e-6);
  fflush(stdout);
  struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_EVENT, &input);
  while (turn_of_events(1)) continue;
  return 0;
}
