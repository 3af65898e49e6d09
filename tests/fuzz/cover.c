/* Which parts of a module have run: gcc calls this at the start of every block
   (-fsanitize-coverage=trace-pc). Each module has one of its own, and says how much it has seen. */

#include <stddef.h>
#include <stdint.h>

enum { BLOCKS = 1 << 20, WAYS = 1 << 18 };

/* The module's code is not larger than a bit for each of its bytes. */
unsigned char headroom_blocks[BLOCKS];
unsigned int headroom_ways;

static unsigned char known[WAYS];
static size_t before;

extern const char __ehdr_start[] __attribute__((visibility("hidden")));

/* A way leads from one block to another: what ran in another order is something new, too. */
__attribute__((visibility("hidden"))) void __sanitizer_cov_trace_pc(void)
{
    size_t here = (size_t)((const char *)__builtin_return_address(0) - __ehdr_start);
    size_t way = (here * 2654435761u ^ before) % WAYS;
    before = here;
    headroom_blocks[here % BLOCKS] = 1;
    if (!known[way]) {
        known[way] = 1;
        headroom_ways += 1;
    }
}
