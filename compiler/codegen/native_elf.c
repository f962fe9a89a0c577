/* SPDX-License-Identifier: Apache-2.0 */
/*
 * native_elf.c - look into the object and the linked file.
 *
 * The linker would quietly resolve an absolute address, which is wrong for
 * code that may be mapped anywhere; so the object's relocations are checked
 * before linking: only kinds that are relative to the code's own place, or to
 * its 4096-byte page, are let through.
 */
#include "config.h"

#include "codegen/native_elf.h"

#include "base/file.h"
#include "base/map.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct elf {
	struct mapped_file file;
	const Elf64_Ehdr *header;
	const Elf64_Shdr *section;
	const char *names;
	uint64_t names_size;
};

static bool inside(const struct elf *e, uint64_t offset, uint64_t size)
{
	return offset <= e->file.size && size <= e->file.size - offset;
}

static bool elf_open(const char *path, struct elf *e, char *why, size_t why_size)
{
	const Elf64_Ehdr *h;

	if (!file_map(path, &e->file)) {
		snprintf(why, why_size, "could not open \"%s\": %s", path, strerror(errno));
		return false;
	}
	h = e->header = (const void *)e->file.data;
	if (e->file.size < sizeof *h || memcmp(h->e_ident, ELFMAG, SELFMAG) || h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_shentsize != sizeof(Elf64_Shdr) || h->e_shoff % 8 ||
	    !inside(e, h->e_shoff, (uint64_t)h->e_shnum * sizeof(Elf64_Shdr)) || h->e_shstrndx >= h->e_shnum)
		goto bad;
	e->section = (const void *)(e->file.data + h->e_shoff);
	for (unsigned i = 0; i < h->e_shnum; i++)
		if (e->section[i].sh_type != SHT_NOBITS &&
		    !inside(e, e->section[i].sh_offset, e->section[i].sh_size))
			goto bad;
	e->names = (const char *)e->file.data + e->section[h->e_shstrndx].sh_offset;
	e->names_size = e->section[h->e_shstrndx].sh_size;
	if (e->names_size && e->names[e->names_size - 1] == '\0')
		return true;
bad:
	snprintf(why, why_size, "\"%s\" is not a complete ELF file", path);
	file_unmap(&e->file);
	return false;
}

static const char *section_name(const struct elf *e, const Elf64_Shdr *s)
{
	return s->sh_name < e->names_size ? e->names + s->sh_name : "";
}

static bool relocation_is_relative(unsigned machine, unsigned type)
{
	if (machine == EM_X86_64)
		return type == R_X86_64_PC32 || type == R_X86_64_PLT32 || type == R_X86_64_PC64;
	switch (type) {
	case R_AARCH64_PREL32:
	case R_AARCH64_PREL64:
	case R_AARCH64_ADR_PREL_LO21:
	case R_AARCH64_ADR_PREL_PG_HI21:
	case R_AARCH64_ADD_ABS_LO12_NC:
	case R_AARCH64_LDST8_ABS_LO12_NC:
	case R_AARCH64_LDST16_ABS_LO12_NC:
	case R_AARCH64_LDST32_ABS_LO12_NC:
	case R_AARCH64_LDST64_ABS_LO12_NC:
	case R_AARCH64_LDST128_ABS_LO12_NC:
	case R_AARCH64_CALL26:
	case R_AARCH64_JUMP26:
	case R_AARCH64_CONDBR19:
	case R_AARCH64_TSTBR14: return true;
	default: return false;
	}
}

bool elf_check_object(const char *path, char *why, size_t why_size)
{
	struct elf e;
	bool ok = true;

	if (!elf_open(path, &e, why, why_size))
		return false;
	for (unsigned i = 0; i < e.header->e_shnum && ok; i++) {
		const Elf64_Shdr *s = &e.section[i];
		const Elf64_Rela *r = (const void *)(e.file.data + s->sh_offset);
		const char *name = section_name(&e, s);

		if (s->sh_type != SHT_NOBITS && s->sh_type != SHT_PROGBITS && s->sh_type != SHT_RELA)
			continue;
		if ((s->sh_flags & SHF_WRITE) && s->sh_size) {
			snprintf(why, why_size, "the kernels have writable data in %s", name);
			ok = false;
		}
		if (s->sh_type != SHT_RELA || !strncmp(name, ".rela.eh_frame", 14))
			continue;
		for (uint64_t k = 0; k < s->sh_size / sizeof *r && ok; k++)
			if (!relocation_is_relative(e.header->e_machine, (unsigned)ELF64_R_TYPE(r[k].r_info))) {
				snprintf(why, why_size, "the code needs relocation type %u, which is not relative",
					 (unsigned)ELF64_R_TYPE(r[k].r_info));
				ok = false;
			}
	}
	file_unmap(&e.file);
	return ok;
}

static const Elf64_Shdr *find_section(const struct elf *e, uint32_t type, const char *name)
{
	for (unsigned i = 0; i < e->header->e_shnum; i++)
		if (e->section[i].sh_type == type && (!name || !strcmp(section_name(e, &e->section[i]), name)))
			return &e->section[i];
	return NULL;
}

/* Symbols by name -> index; false when the table is damaged. */
static bool index_symbols(struct arena *a, const struct elf *e, const Elf64_Shdr *table, struct map *out)
{
	const Elf64_Sym *symbol = (const void *)(e->file.data + table->sh_offset);
	const Elf64_Shdr *strings;
	const char *text;

	if (table->sh_link >= e->header->e_shnum)
		return false;
	strings = &e->section[table->sh_link];
	text = (const char *)e->file.data + strings->sh_offset;
	if (strings->sh_size == 0 || text[strings->sh_size - 1] != '\0')
		return false;
	for (uint32_t i = 0; i < table->sh_size / sizeof *symbol; i++)
		if (symbol[i].st_name < strings->sh_size && text[symbol[i].st_name])
			map_put(a, out, text + symbol[i].st_name, i);
	return true;
}

bool elf_read_block(struct arena *a, const char *path, const char *const *names, uint32_t count,
		    const uint8_t **block, uint64_t *bytes, uint64_t *offset, char *why, size_t why_size)
{
	const Elf64_Shdr *code, *table;
	const Elf64_Sym *symbol;
	struct map symbols = { 0 };
	struct elf e;
	bool ok = false;

	if (!elf_open(path, &e, why, why_size))
		return false;
	code = find_section(&e, SHT_PROGBITS, ".block");
	table = find_section(&e, SHT_SYMTAB, NULL);
	if (!code || !table || !index_symbols(a, &e, table, &symbols)) {
		snprintf(why, why_size, "the linked file has no code or no symbols");
		goto done;
	}
	symbol = (const void *)(e.file.data + table->sh_offset);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at;

		if (!map_get(&symbols, names[i], &at) || symbol[at].st_value < code->sh_addr ||
		    symbol[at].st_value - code->sh_addr >= code->sh_size) {
			snprintf(why, why_size, "the linked file lacks %s", names[i]);
			goto done;
		}
		offset[i] = symbol[at].st_value - code->sh_addr;
	}
	*block = arena_copy(a, e.file.data + code->sh_offset, code->sh_size);
	*bytes = code->sh_size;
	ok = true;
done:
	file_unmap(&e.file);
	return ok;
}
