/* Asks the loader of a root about one file: ROOT LOADER FILE. Static, so that
 * the wish to be traced concerns the root's loader alone. */
#include <unistd.h>

int main(int argc, char **argv)
{
    char *wishes[] = {"LD_TRACE_LOADED_OBJECTS=1", "LD_WARN=yes", 0};

    if (argc != 4 || chroot(argv[1]) || chdir("/"))
        return 99;
    execve(argv[2], argv + 2, wishes);
    return 98;
}
