/* The floor: a WebSocket server that only sends. One thread, epoll, one send() for every delivery.
 *
 * It has no document, checks nothing, stores nothing and merges nothing: what no server that delivers updates one by
 * one can go below on this machine. A client's SyncStep1 is answered with STATE, a file, or with an empty update.
 *
 *     floor PORT [STATE]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NAME_MAX_SIZE = 512, ROOMS_MAX = 8192, EVENTS_A_TURN = 256, READ_SIZE = 65536, HEAD_MAX = 14 };

typedef struct room room;

typedef struct {
  int fd;
  room *room; /* NULL until the handshake is done */
  uint32_t place;
  uint8_t *in, *out;
  size_t in_size, in_space, out_size;
} client;

struct room {
  char name[NAME_MAX_SIZE];
  client **clients;
  uint32_t count, space;
};

static room rooms[ROOMS_MAX];
static int poller;
static uint8_t *state_frame;
static size_t state_frame_size;
static const uint8_t STEP1_FRAME[] = {0x82, 4, 0, 0, 1, 0};
static const char HANDSHAKE[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"; /* for the one key that load.c sends */

static void fail(const char *what) {
  perror(what);
  exit(2);
}

static room *find_room(const char *name) {
  uint32_t at = 2166136261u;
  for (const char *p = name; *p; p++) at = (at ^ (uint8_t)*p) * 16777619u;
  for (;; at++) {
    room *r = rooms + at % ROOMS_MAX;
    if (!*r->name) strcpy(r->name, name);
    if (!strcmp(r->name, name)) return r;
  }
}

static void enter(client *c, room *r) {
  if (r->count == r->space) r->clients = realloc(r->clients, sizeof *r->clients * (r->space = r->space * 2 + 4));
  c->room = r;
  c->place = r->count;
  r->clients[r->count++] = c;
}

static void leave(client *c) {
  room *r = c->room;
  if (r) {
    r->clients[c->place] = r->clients[--r->count];
    r->clients[c->place]->place = c->place;
  }
  close(c->fd);
  free(c->in);
  free(c->out);
  free(c);
}

static void write_bytes(client *c, const uint8_t *bytes, size_t size) {
  if (!c->out_size) {
    ssize_t sent = send(c->fd, bytes, size, MSG_NOSIGNAL);
    if (sent > 0) bytes += sent, size -= (size_t)sent;
  }
  if (!size) return;
  c->out = realloc(c->out, c->out_size + size);
  memcpy(c->out + c->out_size, bytes, size);
  c->out_size += size;
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
}

static void flush(client *c) {
  ssize_t sent = send(c->fd, c->out, c->out_size, MSG_NOSIGNAL);
  if (sent > 0) memmove(c->out, c->out + sent, c->out_size -= (size_t)sent);
  if (c->out_size) return;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
}

static size_t put_head(uint8_t *head, size_t size) {
  head[0] = 0x82;
  if (size < 126) {
    head[1] = (uint8_t)size;
    return 2;
  }
  size_t bytes = size < 65536 ? 2 : 8;
  head[1] = bytes == 2 ? 126 : 127;
  for (size_t i = 0; i < bytes; i++) head[2 + i] = (uint8_t)(size >> 8 * (bytes - 1 - i));
  return 2 + bytes;
}

/* `message` lies behind at least HEAD_MAX bytes that are read already: the head is written there, nothing is copied. */
static void broadcast(const client *author, uint8_t *message, size_t size) {
  uint8_t head[HEAD_MAX];
  size_t head_size = put_head(head, size);
  memcpy(message - head_size, head, head_size);
  room *r = author->room;
  for (uint32_t i = 0; i < r->count; i++)
    if (r->clients[i] != author) write_bytes(r->clients[i], message - head_size, head_size + size);
}

static size_t read_handshake(client *c, uint8_t *bytes, size_t size) {
  uint8_t *stop = memmem(bytes, size, "\r\n\r\n", 4);
  if (!stop) return 0;
  char name[NAME_MAX_SIZE] = "";
  sscanf((char *)bytes, "GET %511s", name);
  enter(c, find_room(name));
  write_bytes(c, (const uint8_t *)HANDSHAKE, sizeof HANDSHAKE - 1);
  write_bytes(c, STEP1_FRAME, sizeof STEP1_FRAME);
  return (size_t)(stop - bytes) + 4;
}

static size_t read_frame(client *c, uint8_t *bytes, size_t size) {
  if (size < 2) return 0;
  size_t head = 2, length = bytes[1] & 127, more = length == 126 ? 2 : length == 127 ? 8 : 0;
  if (size < 2 + more + 4) return 0;
  if (more) length = 0;
  for (size_t i = 0; i < more; i++) length = length << 8 | bytes[2 + i];
  head += more;
  if (size < head + 4 + length) return 0;
  uint8_t *mask = bytes + head, *message = mask + 4;
  for (size_t i = 0; i < length; i++) message[i] ^= mask[i & 3];
  if (length > 1 && message[0] == 0 && message[1] == 0)
    write_bytes(c, state_frame, state_frame_size);
  else if (length > 1 && ((message[0] == 0 && message[1] == 2) || message[0] == 1))
    broadcast(c, message, length);
  return head + 4 + length;
}

static bool read_client(client *c) {
  if (c->in_size + READ_SIZE + HEAD_MAX > c->in_space) c->in = realloc(c->in, c->in_space = c->in_size + 2 * READ_SIZE);
  uint8_t *bytes = c->in + HEAD_MAX;
  ssize_t got = recv(c->fd, bytes + c->in_size, READ_SIZE, 0);
  if (got <= 0) return false;
  c->in_size += (size_t)got;
  size_t done = 0, step;
  do {
    step = c->room ? read_frame(c, bytes + done, c->in_size - done) : read_handshake(c, bytes + done, c->in_size - done);
    done += step;
  } while (step);
  memmove(bytes, bytes + done, c->in_size -= done);
  return true;
}

static void accept_all(int listener) {
  int fd, one = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    client *c = calloc(1, sizeof *c);
    c->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
  }
}

static void read_state(const char *name) {
  uint8_t head[HEAD_MAX] = {0}, body[16] = {0, 1}, empty[] = {0, 0};
  uint8_t *update = empty;
  size_t size = sizeof empty, prefix = 2;
  if (name) {
    FILE *file = fopen(name, "rb");
    if (!file || fseek(file, 0, SEEK_END)) fail(name);
    size = (size_t)ftell(file);
    rewind(file);
    update = malloc(size + 1);
    if (fread(update, 1, size, file) != size) fail(name);
    fclose(file);
  }
  size_t rest = size;
  do {
    body[prefix++] = (uint8_t)((rest & 127) | (rest > 127 ? 128 : 0));
  } while (rest >>= 7);
  size_t head_size = put_head(head, prefix + size);
  state_frame_size = head_size + prefix + size;
  state_frame = malloc(state_frame_size);
  memcpy(state_frame, head, head_size);
  memcpy(state_frame + head_size, body, prefix);
  memcpy(state_frame + head_size + prefix, update, size);
}

int main(int count, char **arguments) {
  if (count < 2) {
    fprintf(stderr, "usage: floor PORT [STATE]\n");
    return 64;
  }
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  read_state(count > 2 ? arguments[2] : NULL);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) fail("listen");
  poller = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[EVENTS_A_TURN];
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int ready = epoll_wait(poller, events, EVENTS_A_TURN, -1);
    for (int i = 0; i < ready; i++) {
      client *c = events[i].data.ptr;
      if (!c) {
        accept_all(listener);
        continue;
      }
      if (events[i].events & EPOLLOUT) flush(c);
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !read_client(c)) leave(c);
    }
  }
}
