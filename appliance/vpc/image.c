/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/pci_regs.h>

#include "util.h"
#include "vpc/bytes.h"
#include "vpc/config-space.h"
#include "vpc/function.h"
#include "vpc/image.h"

size_t vpc_image_size(const struct vpc_model *model) {
        return (VPC_IMAGE_MODEL_OFFSET + model->state_size + 4095) / 4096 * 4096;
}

void vpc_image_msix_reset(void *image, const struct vpc_model *model) {
        const unsigned int n = model->description->msix_vectors;
        uint8_t *table = (uint8_t *)image + VPC_IMAGE_MSIX_OFFSET;

        memset(table, 0, (size_t)n * PCI_MSIX_ENTRY_SIZE);
        for (unsigned int i = 0; i < n; i++)
                put32(table + (size_t)i * PCI_MSIX_ENTRY_SIZE + PCI_MSIX_ENTRY_VECTOR_CTRL, PCI_MSIX_ENTRY_CTRL_MASKBIT);
}

static bool is_terminated(const char *field, size_t size) {
        return memchr(field, 0, size) != NULL;
}

static bool persona_is_valid(const struct vpc_persona *persona) {
        return is_terminated(persona->name, sizeof(persona->name)) && is_terminated(persona->serial, sizeof(persona->serial)) &&
               persona->n_media <= VPC_MEDIA_MAX && persona->interrupts <= IOV_INTERRUPTS_INTX;
}

int vpc_image_init(void *image, const struct vpc_model *model, const struct vpc_persona *persona) {
        struct vpc_image *header = vpc_image_header(image);
        CLEANUP_FREE struct vpc_config *config = NULL;
        struct vpc_description description;
        int r = 0;

        if (!persona_is_valid(persona))
                return -EINVAL;
        r = vpc_description_make(model, persona, &description);
        if (r < 0)
                return r;
        config = malloc(sizeof(*config));
        if (!config)
                return -ENOMEM;
        r = vpc_config_init(config, &description, persona->unique_id, image);
        if (r < 0)
                return r;
        r = field_set(header->model, sizeof(header->model), model->name);
        if (r < 0)
                return -EINVAL;
        vpc_config_reset(config, VPC_RESET_POWER_ON);
        memcpy(header->magic, VPC_IMAGE_MAGIC, sizeof(header->magic));
        header->version = VPC_IMAGE_VERSION;
        header->state_version = model->state_version;
        header->size = vpc_image_size(model);
        header->state_size = model->state_size;
        header->persona = *persona;
        vpc_image_msix_reset(image, model);
        return model->init(vpc_image_state(image), persona);
}

int vpc_image_check(const void *image, size_t size, const struct vpc_model *model) {
        const struct vpc_image *header = (const struct vpc_image *)((const char *)image + VPC_CONFIG_SIZE);

        if (size < VPC_IMAGE_MODEL_OFFSET || memcmp(header->magic, VPC_IMAGE_MAGIC, sizeof(header->magic)) != 0)
                return -EBADMSG;
        if (!is_terminated(header->model, sizeof(header->model)) || strcmp(header->model, model->name) != 0)
                return -EBADMSG;
        if (header->version != VPC_IMAGE_VERSION || header->state_version != model->state_version)
                return -EPROTONOSUPPORT;
        if (size < vpc_image_size(model) || header->size != vpc_image_size(model) || header->state_size != model->state_size)
                return -EBADMSG;
        return persona_is_valid(&header->persona) ? 0 : -EBADMSG;
}

static bool has_life(const void *image, size_t size, const struct vpc_model *model) {
        return model->life_take && vpc_image_check(image, size, model) == 0;
}

static const void *state_of(const void *image) {
        return (const char *)image + VPC_IMAGE_MODEL_OFFSET;
}

uint64_t vpc_image_life_mark(const void *image, size_t size, const struct vpc_model *model, uint64_t now) {
        return has_life(image, size, model) ? model->life_mark(state_of(image), now) : 0;
}

size_t vpc_image_life_take(const void *image, size_t size, const struct vpc_model *model, uint64_t now, void *life) {
        return has_life(image, size, model) ? model->life_take(state_of(image), now, life) : 0;
}

int vpc_image_life_give(void *image, const struct vpc_model *model, const void *life, size_t size) {
        return model->life_give ? model->life_give(vpc_image_state(image), life, size) : -EBADMSG;
}
