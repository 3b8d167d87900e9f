/* Children that leak an object of each kind, and threads that race removal with the end of the process. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

static void leak(void)
{
	if (msgget(IPC_PRIVATE, 0600) < 0 || shmget(IPC_PRIVATE, 4096, 0600) < 0 || semget(IPC_PRIVATE, 1, 0600) < 0)
		abort();
	_exit(0);
}

static void *remove_queue(void *id)
{
	msgctl(*(int *)id, IPC_RMID, NULL);
	return NULL;
}

/* The process ends while a thread removes its queue, and with a segment that is attached and marked. */
static void race(void)
{
	static int id;
	int segment = shmget(IPC_PRIVATE, 4096, 0600);
	pthread_t thread;

	id = msgget(IPC_PRIVATE, 0600);
	if (id < 0 || segment < 0 || shmat(segment, NULL, 0) == (void *)-1 || shmctl(segment, IPC_RMID, NULL))
		abort();
	if (pthread_create(&thread, NULL, remove_queue, &id))
		abort();
	_exit(0);
}

int main(int argc, char **argv)
{
	int children = atoi(argv[1]);

	(void)argc;
	for (int i = 0; i < children; i++) {
		if (!fork())
			leak();
		if (!fork())
			race();
	}
	while (wait(NULL) > 0)
		;
	return 0;
}
