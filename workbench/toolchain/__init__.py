"""What a build is compiled with: CUDA toolkits from NVIDIA's wheels, compilers for another architecture."""
