/* Processes that are hard to count: a chain in which each ends while the next begins, and one that outlives its main thread. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <unistd.h>

static void *leak(void *arg)
{
	(void)arg;
	if (msgget(IPC_PRIVATE, 0600) < 0)
		abort();
	_exit(0);
}

/*
 * Each waits for the end of the one before: no two live for longer than a fork takes.
 * The last makes a queue, if that of the first is still there.
 */
static void relay(int links)
{
	int id = msgget(IPC_PRIVATE, 0600);
	struct msqid_ds ds;

	while (links-- > 0) {
		pid_t before = getpid();

		if (fork())
			_exit(0);
		setsid();
		while (getppid() == before)
			;
	}
	if (!msgctl(id, IPC_STAT, &ds))
		leak(NULL);
	_exit(1);
}

static void *late(void *arg)
{
	sleep(1);
	return leak(arg);
}

static void outlive(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, late, NULL))
		abort();
	pthread_exit(NULL);
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "relay"))
		relay(atoi(argv[2]));
	outlive();
}
