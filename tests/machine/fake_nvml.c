/* A driver library with NVML's C interface whose behaviour FAKE_NVML chooses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, INVALID = 2, UNSUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, TOO_SMALL = 7,
       NOT_LOADED = 9, LOST = 15, MISMATCH = 18 };
typedef struct Device { int number; int mig; } Device;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned pid; unsigned long long used; unsigned gpu_instance, compute_instance; } Process;

static Device devices[2] = {{0, 0}, {1, 0}};
static Device instances[2] = {{0, 1}, {0, 2}};
static int sessions = 0;

static int is(const char *mode) {
    const char *set = getenv("FAKE_NVML");
    return set && !strcmp(set, mode);
}

static int put(char *text, unsigned size, const char *value) {
    if (strlen(value) + 1 > size) return TOO_SMALL;
    strcpy(text, value);
    return OK;
}

int nvmlInitWithFlags(unsigned flags) {
    if (is("driver_not_loaded")) return NOT_LOADED;
    if (is("no_permission")) return NO_PERMISSION;
    if (is("mismatch")) return MISMATCH;
    if (is("strange")) return 777;
    sessions++;
    return flags ? INVALID : OK;
}

int nvmlShutdown(void) {
    sessions--;
    const char *log = getenv("FAKE_NVML_LOG");
    FILE *file = log ? fopen(log, "w") : NULL;
    if (file) { fprintf(file, "%d", sessions); fclose(file); }
    return OK;
}

int nvmlSystemGetDriverVersion(char *text, unsigned size) { return put(text, size, "550.54.15"); }

int nvmlSystemGetNVMLVersion(char *text, unsigned size) { return put(text, size, "12.550.54.15"); }

int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    if (is("silent")) return UNSUPPORTED;
    *version = 12040;
    return OK;
}

const char *nvmlErrorString(int code) { return code == 777 ? "A strange error" : "Another error"; }

int nvmlDeviceGetCount_v2(unsigned *count) {
    if (is("count_fails")) return LOST;
    *count = is("none") ? 0 : is("mig") ? 1 : 2;
    return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **device) {
    if (index > 1) return INVALID;
    if (is("lost") && index == 0) return LOST;
    *device = &devices[index];
    return OK;
}

int nvmlDeviceGetName(Device *device, char *name, unsigned size) {
    if (is("garbled")) return put(name, size, "\xff\xfe");
    if (device->mig) return put(name, size, "NVIDIA A100 MIG 3g.20gb");
    return put(name, size, device->number ? "NVIDIA H100" : "NVIDIA A100");
}

int nvmlDeviceGetUUID(Device *device, char *uuid, unsigned size) {
    char text[64];
    snprintf(text, sizeof text, "%s-%d%d", device->mig ? "MIG" : "GPU", device->number, device->mig);
    return put(uuid, size, text);
}

int nvmlDeviceGetMemoryInfo(Device *device, Memory *memory) {
    if (is("silent")) return UNSUPPORTED;
    if (is("lost_later") && device->number == 0) return LOST;
    unsigned long long gib = 1ull << 30;
    memory->total = (device->mig ? 20 : device->number ? 80 : 40) * gib;
    memory->used = (device->mig ? 1 : device->number ? 79 : 10) * gib;
    memory->free = memory->total - memory->used;
    return OK;
}

int nvmlDeviceGetCudaComputeCapability(Device *device, int *major, int *minor) {
    if (is("silent") || device->mig) return UNSUPPORTED;
    *major = device->number ? 9 : 8;
    *minor = 0;
    return OK;
}

int nvmlDeviceGetComputeRunningProcesses_v3(Device *device, unsigned *count, Process *processes) {
    if (is("silent")) return NO_PERMISSION;
    if (device->number || device->mig) { *count = 0; return OK; }
    if (*count < 2 || !processes) { *count = 2; return TOO_SMALL; }
    *count = 2;
    processes[0] = (Process){4242, 9ull << 30, ~0u, ~0u};
    processes[1] = (Process){77, ~0ull, ~0u, ~0u};
    return OK;
}

/* The driver lists a process that both computes and draws twice. */
int nvmlDeviceGetGraphicsRunningProcesses_v3(Device *device, unsigned *count, Process *processes) {
    if (!is("drawing") || device->number) { *count = 0; return OK; }
    if (*count < 2 || !processes) { *count = 2; return TOO_SMALL; }
    *count = 2;
    processes[0] = (Process){4242, 9ull << 30, ~0u, ~0u};
    processes[1] = (Process){5151, 1ull << 30, ~0u, ~0u};
    return OK;
}

int nvmlSystemGetProcessName(unsigned pid, char *name, unsigned size) {
    return pid == 4242 ? put(name, size, "/usr/bin/trainer") : NOT_FOUND;
}

int nvmlDeviceGetMigMode(Device *device, unsigned *current, unsigned *pending) {
    if (!is("mig") && !is("mig_empty")) return UNSUPPORTED;
    *current = *pending = device->number == 0;
    return OK;
}

int nvmlDeviceGetMaxMigDeviceCount(Device *device, unsigned *count) {
    *count = device->number ? 0 : 7;
    return OK;
}

int nvmlDeviceGetMigDeviceHandleByIndex(Device *device, unsigned index, Device **mig) {
    if (device->number || is("mig_empty") || (index != 1 && index != 4)) return NOT_FOUND;
    *mig = &instances[index == 4];
    return OK;
}
