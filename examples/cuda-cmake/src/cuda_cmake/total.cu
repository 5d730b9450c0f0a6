#include "total.h"

static const unsigned WARP = 32;

static __global__ void total(const float *x, size_t count, double *sum)
{
    double part = 0;
    size_t stride = static_cast<size_t>(gridDim.x) * blockDim.x;
    for (size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += stride)
        part += x[i];
    for (unsigned distance = WARP / 2; distance; distance /= 2)
        part += __shfl_down_sync(0xffffffff, part, distance);
    if (threadIdx.x % WARP == 0)
        atomicAdd(sum, part);
}

static cudaError_t run(const float *x, size_t count, double *sum, float *on_gpu, double *sum_on_gpu)
{
    cudaError_t status = cudaMemcpy(on_gpu, x, count * sizeof(float), cudaMemcpyHostToDevice);
    if (status == cudaSuccess)
        status = cudaMemset(sum_on_gpu, 0, sizeof(double));
    if (status != cudaSuccess)
        return status;
    total<<<256, 256>>>(on_gpu, count, sum_on_gpu);
    status = cudaGetLastError();
    return status == cudaSuccess ? cudaMemcpy(sum, sum_on_gpu, sizeof(double), cudaMemcpyDeviceToHost) : status;
}

extern "C" const char *total_on_gpu(const float *x, size_t count, double *sum)
{
    void *on_gpu = nullptr;
    cudaError_t status = cudaMalloc(&on_gpu, sizeof(double) + count * sizeof(float));
    if (status == cudaSuccess) {
        double *sum_on_gpu = static_cast<double *>(on_gpu);
        status = run(x, count, sum, reinterpret_cast<float *>(sum_on_gpu + 1), sum_on_gpu);
        cudaFree(on_gpu);
    }
    return status == cudaSuccess ? nullptr : cudaGetErrorString(status);
}
