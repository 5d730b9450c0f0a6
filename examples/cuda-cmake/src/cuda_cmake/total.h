#include <stddef.h>

#ifdef __cplusplus
extern "C"
#endif
/* Adds `count` floats of the host's memory up into `sum`. Returns NULL, or CUDA's words for what went wrong. */
const char *total_on_gpu(const float *x, size_t count, double *sum);
