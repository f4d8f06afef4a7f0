/* Memory for the samples of a component. */
#ifndef DICODEC_JPEG2000_ARRAYS_H
#define DICODEC_JPEG2000_ARRAYS_H

#include <stddef.h>

/* Take memory, that free() gives back; NULL without. */
void *jpeg2000_take_array(size_t size);

#endif
