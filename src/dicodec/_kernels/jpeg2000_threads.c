#include "jpeg2000_threads.h"

#if defined(__unix__) || defined(__APPLE__)
#define HAS_THREADS 1
#include <pthread.h>
#else
#define HAS_THREADS 0
#endif

kernel_status jpeg2000_visit_blocks(const jpeg2000_share *share, jpeg2000_block_work work,
                                    void *worker)
{
    size_t number = 0;
    for (size_t i = 0; i < share->tile->precinct_count; i++) {
        const jpeg2000_precinct *precinct = share->tile->precincts + i;
        for (unsigned k = 0; k < precinct->count; k++) {
            const jpeg2000_precinct_part *part = precinct->parts + k;
            for (size_t b = 0; b < (size_t)part->across * part->down; b++) {
                if (number++ % share->step != share->first)
                    continue;
                kernel_status status = work(worker, precinct, part, part->blocks + b);
                if (status != KERNEL_DONE)
                    return status;
            }
        }
    }
    return KERNEL_DONE;
}

typedef struct {
    kernel_status (*work)(void *worker);
    void *worker;
    kernel_status status;
} task;

#if HAS_THREADS
static void *do_task(void *given)
{
    task *mine = given;
    mine->status = mine->work(mine->worker);
    return NULL;
}
#endif

kernel_status jpeg2000_work_together(unsigned count, kernel_status (*work)(void *worker),
                                     void *const *workers)
{
    task tasks[JPEG2000_MOST_THREADS];
    unsigned started = 0;
    for (unsigned i = 0; i < count; i++)
        tasks[i] = (task){work, workers[i], KERNEL_DONE};
#if HAS_THREADS
    pthread_t threads[JPEG2000_MOST_THREADS];
    while (started + 1 < count
           && !pthread_create(threads + started, NULL, do_task, tasks + started))
        started++;
#endif
    for (unsigned i = started; i < count; i++) /* here, what no thread could be had for */
        tasks[i].status = work(tasks[i].worker);
#if HAS_THREADS
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
#endif
    for (unsigned i = 0; i < count; i++)
        if (tasks[i].status != KERNEL_DONE)
            return tasks[i].status;
    return KERNEL_DONE;
}
