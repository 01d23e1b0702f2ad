/* A slow disk, for LD_PRELOAD: fsync() and fdatasync() take DELAY_US microseconds longer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>

#ifndef DELAY_US
#define DELAY_US 5000
#endif

int fsync(int file)
{
    usleep(DELAY_US);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
}

int fdatasync(int file)
{
    usleep(DELAY_US);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(file);
}
