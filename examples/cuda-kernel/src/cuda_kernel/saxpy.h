#include <stddef.h>

#ifdef __cplusplus
extern "C"
#endif
/* y += a * x over `count` floats of the host's memory. Returns NULL, or CUDA's words for what went wrong. */
const char *saxpy_on_gpu(float a, const float *x, float *y, size_t count);
