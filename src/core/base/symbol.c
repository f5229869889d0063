/*
 * base/symbol.c - names for addresses of code
 *
 * The dynamic linker knows exported functions only, and for any other address
 * names the nearest of those, which misleads.  So it is asked for the file
 * alone, and the name is looked up in the file's symbol table.
 *
 * Rule: nothing read from the file is believed: each table must lie within it.
 */
#include "base/symbol.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qemu/osdep.h"

typedef struct Image {
    const char *bytes;
    size_t size;
} Image;

/* ---- the file ----------------------------------------------------------- */

/* argv[0] need not lead to the program: the kernel knows. */
static const char *path_of(const Dl_info *info)
{
    Dl_info program = {0};

    if (dladdr((void *)getauxval(AT_ENTRY), &program) &&
        program.dli_fbase == info->dli_fbase) {
        return "/proc/self/exe";
    }
    return info->dli_fname;
}

static bool image_open(Image *image, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *bytes = MAP_FAILED;

    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &st) == 0 && st.st_size > 0) {
        bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    close(fd);
    if (bytes == MAP_FAILED) {
        return false;
    }
    *image = (Image){bytes, (size_t)st.st_size};
    return true;
}

/* @count items of @size at @offset, or NULL. */
static const void *table(const Image *image, size_t offset, size_t count,
                         size_t size)
{
    if (offset > image->size ||
        (size && count > (image->size - offset) / size)) {
        return NULL;
    }
    return image->bytes + offset;
}

/* ---- its symbols -------------------------------------------------------- */

static const ElfW(Shdr) * sections_of(const Image *image, unsigned *count)
{
    const ElfW(Ehdr) *head = table(image, 0, 1, sizeof(*head));

    if (!head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_ident[EI_CLASS] !=
            (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        head->e_shentsize != sizeof(ElfW(Shdr))) {
        return NULL;
    }
    *count = head->e_shnum;
    return table(image, head->e_shoff, *count, sizeof(ElfW(Shdr)));
}

/* The function that contains @value. */
static const ElfW(Sym) *
    find_in(const Image *image, const ElfW(Shdr) * symbols, uintptr_t value)
{
    size_t count = symbols->sh_size / sizeof(ElfW(Sym));
    const ElfW(Sym) *sym =
        table(image, symbols->sh_offset, count, sizeof(*sym));

    for (size_t i = 0; sym && i < count; i++) {
        if ((sym[i].st_info & 0xf) == STT_FUNC &&
            (sym[i].st_value == value ||
             (sym[i].st_value < value &&
              value - sym[i].st_value < sym[i].st_size))) {
            return &sym[i];
        }
    }
    return NULL;
}

static const char *string_at(const Image *image, const ElfW(Shdr) * strings,
                             size_t offset)
{
    const char *all = table(image, strings->sh_offset, strings->sh_size, 1);

    if (!all || offset >= strings->sh_size ||
        !memchr(all + offset, 0, strings->sh_size - offset)) {
        return NULL;
    }
    return all + offset;
}

static bool write_name(const Image *image, uintptr_t base, uintptr_t address,
                       char *text, size_t size)
{
    unsigned count = 0;
    const ElfW(Shdr) *section = sections_of(image, &count);
    const ElfW(Ehdr) *head = (const void *)image->bytes;

    for (unsigned i = 0; section && i < count; i++) {
        if (section[i].sh_type != SHT_SYMTAB || section[i].sh_link >= count) {
            continue;
        }
        uintptr_t value = address - (head->e_type == ET_DYN ? base : 0);
        const ElfW(Sym) *sym = find_in(image, &section[i], value);
        const char *name =
            sym ? string_at(image, &section[section[i].sh_link], sym->st_name)
                : NULL;

        if (name) {
            size_t inside = value - sym->st_value;

            snprintf(text, size, inside ? "%s+0x%zx" : "%s", name, inside);
            return true;
        }
    }
    return false;
}

/* ---- the text ----------------------------------------------------------- */

static void write_place(const Dl_info *info, uintptr_t address, char *text,
                        size_t size)
{
    const char *slash = strrchr(info->dli_fname, '/');

    snprintf(text, size, "%s+0x%zx", slash ? slash + 1 : info->dli_fname,
             (size_t)(address - (uintptr_t)info->dli_fbase));
}

const char *symbol_name(const void *address)
{
    static char texts[4][128];
    static unsigned last;
    char *text = texts[__atomic_fetch_add(&last, 1, __ATOMIC_RELAXED) % 4];
    Dl_info info = {0};
    Image image;
    bool found = false;

    if (!dladdr(address, &info) || !info.dli_fname) {
        snprintf(text, sizeof(texts[0]), "%p", address);
        return text;
    }
    if (image_open(&image, path_of(&info))) {
        found = write_name(&image, (uintptr_t)info.dli_fbase,
                           (uintptr_t)address, text, sizeof(texts[0]));
        munmap((void *)(uintptr_t)image.bytes, image.size);
    }
    if (!found) {
        write_place(&info, (uintptr_t)address, text, sizeof(texts[0]));
    }
    return text;
}
