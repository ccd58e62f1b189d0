/* SPDX-License-Identifier: MIT
 *
 * The tables, made of what the file has defined and the sound rest. */
#ifndef CREATE
#define CREATE sound_create
#endif
#ifndef OPEN
#define OPEN sound_open
#endif
#ifndef PREPARE
#define PREPARE sound_prepare
#endif
#ifndef HEAD
#define HEAD NULL
#endif
#ifndef DATA
#define DATA NULL
#endif
#ifndef BODY
#define BODY NULL
#endif
#ifndef CLASSIFY
#define CLASSIFY NULL
#endif
#ifndef RELEASE
#define RELEASE sound_release
#endif
#ifndef INIT
#define INIT sound_init
#endif
#ifndef EXTENSION
#define EXTENSION NULL
#endif
#ifndef KIND_NAME
#define KIND_NAME STR("broken-" ID)
#endif
#ifndef SETTINGS_SCHEMA
#define SETTINGS_SCHEMA STR("{\"type\":\"object\"}")
#endif
#ifndef INFO_NAME
#define INFO_NAME STR("Broken: " ID)
#endif
#ifndef KIND_COUNT
#define KIND_COUNT 1
#endif
#ifndef TABLE_SIZE
#define TABLE_SIZE sizeof(gp_provider_vt)
#endif
#ifndef ENTRY_SIZE
#define ENTRY_SIZE sizeof(gp_entry)
#endif
#ifndef MAJOR
#define MAJOR GP_ABI_MAJOR
#endif
#ifndef MINOR
#define MINOR GP_ABI_MINOR
#endif

static const gp_kind kKind = {
    .size = sizeof(gp_kind),
    .flags = GP_KIND_USER_CREATED,
    .name = KIND_NAME,
    .credential_tag = STR("Broken"),
    .title = STR("Broken"),
    .gen_ai_name = STR("broken"),
    .settings_schema = SETTINGS_SCHEMA,
    .credential_schema = STR("{\"type\":\"object\"}"),
};
static const gp_kind *const kKinds[] = {&kKind};

static const gp_info kInfo = {
    .size = sizeof(gp_info),
    .id = STR("dev.gproxy.broken." ID),
    .name = INFO_NAME,
    .version = STR("0.1.0"),
    .licence = STR("MIT"),
    .kinds = kKinds,
    .kind_count = KIND_COUNT,
};

static const gp_provider_vt kTable = {
    .size = TABLE_SIZE,
    .create = CREATE,
    .destroy = sound_destroy,
    .credential_open = OPEN,
    .credential_close = sound_close,
    .prepare = PREPARE,
    .head = HEAD,
    .data = DATA,
    .body = BODY,
    .classify = CLASSIFY,
    .release = RELEASE,
};

static const gp_entry kEntry = {
    .size = ENTRY_SIZE,
    .abi_major = MAJOR,
    .abi_minor = MINOR,
    .info = &kInfo,
    .provider = &kTable,
    .init = INIT,
    .deinit = sound_deinit,
    .extension = EXTENSION,
};

#ifndef NO_ENTRY
GP_EXPORT const gp_entry *GP_ENTRY_1(void) { return &kEntry; }
#endif
