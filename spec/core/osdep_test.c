/*
 * osdep_test.c - the small change of the original's headers
 */
#include <sys/socket.h>

#include "qemu/memalign.h"
#include "qemu/osdep.h"
#include "qemu/units.h"
#include "test.h"

TEST(aligned_memory_is_aligned_and_writable_even_without_bytes)
{
    for (size_t alignment = 1; alignment <= 65536; alignment *= 2) {
        for (size_t size = 0; size < 3; size++) {
            char *memory = qemu_memalign(alignment, size * 1000);
            ASSERT(QEMU_PTR_IS_ALIGNED(memory, alignment));
            memset(memory, 1, size * 1000);
            qemu_vfree(memory);
        }
    }
    qemu_vfree(NULL);
    QEMU_AUTO_VFREE char *memory = qemu_try_memalign(4096, 4096);
    ASSERT(memory);
}

static void too_much(void *opaque)
{
    qemu_memalign(4096, SIZE_MAX / 2);
}

static void no_power_of_two(void *opaque)
{
    qemu_try_memalign(24, 100);
}

TEST(aligned_memory_that_cannot_be_had_is_null_or_named)
{
    ASSERT_ABORTS(no_power_of_two, NULL, "24 is no power of two");
    if (test_is_slow()) {
        SKIP("memory checkers take too large a size for a mistake");
    }
    ASSERT_PTR_EQ(qemu_try_memalign(4096, SIZE_MAX / 2), NULL);
    ASSERT_ABORTS(too_much, NULL, "at a multiple of 4096");
}

static int interrupted(int *left)
{
    errno = (*left)-- > 0 ? EINTR : EBADF;
    return -1;
}

TEST(a_call_that_was_interrupted_is_made_again)
{
    int left = 3;

    ASSERT_EQ(RETRY_ON_EINTR(interrupted(&left)), -1);
    ASSERT_EQ(errno, EBADF);
    ASSERT_EQ(left, -1);
    ASSERT_EQ(RETRY_ON_EINTR(write(-1, "", 0)), -1);
}

typedef struct Inner {
    char c;
    int i;
} Inner;

typedef struct Outer {
    int64_t before;
    Inner inner;
} Outer;

TEST(fields_are_measured_and_lead_back_to_their_structure)
{
    Outer outer;
    typeof_field(Inner, i) i = 1;

    ASSERT_EQ(sizeof_field(Outer, inner), sizeof(Inner));
    ASSERT_EQ(sizeof(i), sizeof(int));
    ASSERT_PTR_EQ(DO_UPCAST(Outer, inner, &outer.inner), &outer);
    ASSERT_PTR_EQ(container_of(&outer.inner.i, Inner, i), &outer.inner);
}

TEST(numbers_are_rounded_to_multiples)
{
    ASSERT_EQ(DIV_ROUND_UP(7, 3), 3);
    ASSERT_EQ(ROUND_UP(UINT64_C(0x1ffffffff), 4096), INT64_C(0x200000000));
    ASSERT_EQ(ROUND_DOWN(8191, 4096), 4096);
    ASSERT_EQ(QEMU_ALIGN_UP(7, 3), 9);
    ASSERT_EQ(QEMU_ALIGN_DOWN(8, 3), 6);
    ASSERT(QEMU_IS_ALIGNED(9, 3) && !QEMU_IS_ALIGNED(8, 3));
    ASSERT(is_power_of_2(1) && is_power_of_2(UINT64_C(1) << 63));
    ASSERT(!is_power_of_2(0) && !is_power_of_2(6));
    ASSERT_EQ(MIN(-1, 2) + MAX(3, 4), 3);
    ASSERT_EQ(MiB / KiB, 1024);
    ASSERT_EQ(EiB / PiB * TiB / GiB, 1 << 20);
}
