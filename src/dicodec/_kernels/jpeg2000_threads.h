/* Sharing the code-blocks of one tile among threads; where there are none, one does all. */
#ifndef DICODEC_JPEG2000_THREADS_H
#define DICODEC_JPEG2000_THREADS_H

#include "jpeg2000_tile.h"

enum { JPEG2000_MOST_THREADS = 64 };

/* A share of a tile's blocks: every `step`th one from `first` on, in the order of packets. */
typedef struct {
    const jpeg2000_tile *tile;
    unsigned first, step;
} jpeg2000_share;

typedef kernel_status (*jpeg2000_block_work)(void *worker, const jpeg2000_precinct *precinct,
                                             const jpeg2000_precinct_part *part,
                                             jpeg2000_block *block);

/* Do some work with each block of a share, until it fails. */
kernel_status jpeg2000_visit_blocks(const jpeg2000_share *share, jpeg2000_block_work work,
                                    void *worker);

/* Call `work` with each of some workers at the same time, and return what failed first. */
kernel_status jpeg2000_work_together(unsigned count, kernel_status (*work)(void *worker),
                                     void *const *workers);

#endif
