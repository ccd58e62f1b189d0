/* SPDX-License-Identifier: MIT
 *
 * The layout of the ABI, asserted. Compiled with -Wpadded -Werror, as C11 and as C++20, by every
 * build. A structure may only grow at its end: an edit of an existing line here is an ABI break.
 * ENDS: a structure ends exactly at its last field (no padding at the end).
 */
#include "gproxy/abi.h"
#include "gproxy/ext/count.h"
#include "gproxy/ext/credential.h"
#include "gproxy/ext/crypto.h"
#include "gproxy/ext/json.h"
#include "gproxy/ext/limits.h"
#include "gproxy/ext/local.h"
#include "gproxy/ext/oauth.h"
#include "gproxy/ext/quota.h"
#include "gproxy/ext/thread_check.h"
#include "gproxy/ext/usage.h"

#ifdef __cplusplus
#define GP_STATIC_ASSERT static_assert
#else
#define GP_STATIC_ASSERT _Static_assert
#endif

#define SIZE(type, bytes) GP_STATIC_ASSERT(sizeof(type) == (bytes), #type " has changed its size")
#define AT(type, field, offset) \
  GP_STATIC_ASSERT(offsetof(type, field) == (offset), #type "." #field " has moved")
#define ENDS(type, field)                                                              \
  GP_STATIC_ASSERT(offsetof(type, field) + sizeof(((type *)0)->field) == sizeof(type), \
                   #type " does not end at " #field)

GP_STATIC_ASSERT(sizeof(size_t) == 8 && sizeof(void *) == 8, "64-bit targets only");

SIZE(gp_str, 16);
AT(gp_str, ptr, 0);
AT(gp_str, len, 8);
ENDS(gp_str, len);

SIZE(gp_header, 32);
AT(gp_header, name, 0);
AT(gp_header, value, 16);
ENDS(gp_header, value);

SIZE(gp_span, 24);
AT(gp_span, field, 0);
AT(gp_span, flags, 4);
AT(gp_span, at, 8);
AT(gp_span, len, 16);
ENDS(gp_span, len);

SIZE(gp_splice, 32);
AT(gp_splice, at, 0);
AT(gp_splice, remove, 8);
AT(gp_splice, insert, 16);
ENDS(gp_splice, insert);

SIZE(gp_route, 16);
AT(gp_route, protocol, 0);
AT(gp_route, operation, 4);
AT(gp_route, mode, 8);
AT(gp_route, target, 12);
ENDS(gp_route, target);

SIZE(gp_alias, 32);
AT(gp_alias, from, 0);
AT(gp_alias, field, 16);
ENDS(gp_alias, field);

SIZE(gp_sink, 16);
AT(gp_sink, ctx, 0);
AT(gp_sink, write, 8);
ENDS(gp_sink, write);

SIZE(gp_error, 40);
AT(gp_error, size, 0);
AT(gp_error, code, 4);
AT(gp_error, message, 8);
AT(gp_error, param, 24);
ENDS(gp_error, param);

SIZE(gp_kind, 136);
AT(gp_kind, size, 0);
AT(gp_kind, flags, 4);
AT(gp_kind, name, 8);
AT(gp_kind, credential_tag, 24);
AT(gp_kind, title, 40);
AT(gp_kind, gen_ai_name, 56);
AT(gp_kind, settings_schema, 72);
AT(gp_kind, credential_schema, 88);
AT(gp_kind, aliases, 104);
AT(gp_kind, alias_count, 112);
AT(gp_kind, forward_headers, 120);
AT(gp_kind, forward_header_count, 128);
ENDS(gp_kind, forward_header_count);

SIZE(gp_info, 104);
AT(gp_info, size, 0);
AT(gp_info, flags, 4);
AT(gp_info, id, 8);
AT(gp_info, name, 24);
AT(gp_info, version, 40);
AT(gp_info, licence, 56);
AT(gp_info, homepage, 72);
AT(gp_info, kinds, 88);
AT(gp_info, kind_count, 96);
ENDS(gp_info, kind_count);

SIZE(gp_instance, 40);
AT(gp_instance, size, 0);
AT(gp_instance, flags, 4);
AT(gp_instance, arena, 8);
AT(gp_instance, provider, 16);
AT(gp_instance, routes, 24);
AT(gp_instance, route_count, 32);
ENDS(gp_instance, route_count);

SIZE(gp_credential_info, 64);
AT(gp_credential_info, size, 0);
AT(gp_credential_info, flags, 4);
AT(gp_credential_info, arena, 8);
AT(gp_credential_info, credential, 16);
AT(gp_credential_info, expires_at_ms, 24);
AT(gp_credential_info, identity, 32);
AT(gp_credential_info, display_name, 48);
ENDS(gp_credential_info, display_name);

SIZE(gp_request, 184);
AT(gp_request, size, 0);
AT(gp_request, flags, 4);
AT(gp_request, protocol, 8);
AT(gp_request, operation, 12);
AT(gp_request, client_protocol, 16);
AT(gp_request, attempt, 20);
AT(gp_request, method, 24);
AT(gp_request, path, 40);
AT(gp_request, query, 56);
AT(gp_request, model, 72);
AT(gp_request, resource, 88);
AT(gp_request, body, 104);
AT(gp_request, headers, 120);
AT(gp_request, header_count, 128);
AT(gp_request, spans, 136);
AT(gp_request, span_count, 144);
AT(gp_request, credential, 152);
AT(gp_request, arena, 160);
AT(gp_request, request_id, 168);
ENDS(gp_request, request_id);

SIZE(gp_upstream, 136);
AT(gp_upstream, size, 0);
AT(gp_upstream, flags, 4);
AT(gp_upstream, method, 8);
AT(gp_upstream, url, 24);
AT(gp_upstream, secret_query, 40);
AT(gp_upstream, body, 56);
AT(gp_upstream, headers, 72);
AT(gp_upstream, header_count, 80);
AT(gp_upstream, splices, 88);
AT(gp_upstream, splice_count, 96);
AT(gp_upstream, connect_ms, 104);
AT(gp_upstream, first_byte_ms, 112);
AT(gp_upstream, idle_ms, 120);
AT(gp_upstream, total_ms, 128);
ENDS(gp_upstream, total_ms);

SIZE(gp_head, 32);
AT(gp_head, size, 0);
AT(gp_head, status, 4);
AT(gp_head, headers, 8);
AT(gp_head, header_count, 16);
AT(gp_head, arena, 24);
ENDS(gp_head, arena);

SIZE(gp_reply, 48);
AT(gp_reply, size, 0);
AT(gp_reply, status, 4);
AT(gp_reply, headers, 8);
AT(gp_reply, header_count, 16);
AT(gp_reply, body, 24);
AT(gp_reply, arena, 40);
ENDS(gp_reply, arena);

SIZE(gp_failure, 96);
AT(gp_failure, size, 0);
AT(gp_failure, kind, 4);
AT(gp_failure, status, 8);
AT(gp_failure, attempt, 12);
AT(gp_failure, protocol, 16);
AT(gp_failure, operation, 20);
AT(gp_failure, bytes_sent_downstream, 24);
AT(gp_failure, headers, 32);
AT(gp_failure, header_count, 40);
AT(gp_failure, body, 48);
AT(gp_failure, model, 64);
AT(gp_failure, credential, 80);
AT(gp_failure, arena, 88);
ENDS(gp_failure, arena);

SIZE(gp_verdict, 56);
AT(gp_verdict, size, 0);
AT(gp_verdict, action, 4);
AT(gp_verdict, scope, 8);
AT(gp_verdict, cause, 12);
AT(gp_verdict, until_ms, 16);
AT(gp_verdict, reason, 24);
AT(gp_verdict, credential_json, 40);
ENDS(gp_verdict, credential_json);

SIZE(gp_step, 176);
AT(gp_step, size, 0);
AT(gp_step, kind, 4);
AT(gp_step, fetch, 8);
AT(gp_step, wait_ms, 16);
AT(gp_step, status, 24);
AT(gp_step, flags, 28);
AT(gp_step, flow, 32);
AT(gp_step, reply_json, 48);
AT(gp_step, credential_json, 64);
AT(gp_step, identity, 80);
AT(gp_step, name, 96);
AT(gp_step, settings_json, 112);
AT(gp_step, windows_json, 128);
AT(gp_step, code, 144);
AT(gp_step, message, 160);
ENDS(gp_step, message);

SIZE(gp_step_in, 144);
AT(gp_step_in, size, 0);
AT(gp_step_in, step, 4);
AT(gp_step_in, provider, 8);
AT(gp_step_in, credential, 16);
AT(gp_step_in, credential_json, 24);
AT(gp_step_in, flow, 40);
AT(gp_step_in, reply, 56);
AT(gp_step_in, failure, 64);
AT(gp_step_in, cause, 68);
AT(gp_step_in, query, 72);
AT(gp_step_in, state, 88);
AT(gp_step_in, redirect_uri, 104);
AT(gp_step_in, headers, 120);
AT(gp_step_in, header_count, 128);
AT(gp_step_in, arena, 136);
ENDS(gp_step_in, arena);

SIZE(gp_host, 72);
AT(gp_host, size, 0);
AT(gp_host, abi_major, 4);
AT(gp_host, abi_minor, 6);
AT(gp_host, version, 8);
AT(gp_host, user_agent, 24);
AT(gp_host, alloc, 40);
AT(gp_host, log, 48);
AT(gp_host, now_ms, 56);
AT(gp_host, extension, 64);
ENDS(gp_host, extension);

SIZE(gp_provider_vt, 88);
AT(gp_provider_vt, size, 0);
AT(gp_provider_vt, flags, 4);
AT(gp_provider_vt, create, 8);
AT(gp_provider_vt, destroy, 16);
AT(gp_provider_vt, credential_open, 24);
AT(gp_provider_vt, credential_close, 32);
AT(gp_provider_vt, prepare, 40);
AT(gp_provider_vt, head, 48);
AT(gp_provider_vt, data, 56);
AT(gp_provider_vt, body, 64);
AT(gp_provider_vt, classify, 72);
AT(gp_provider_vt, release, 80);
ENDS(gp_provider_vt, release);

SIZE(gp_entry, 48);
AT(gp_entry, size, 0);
AT(gp_entry, abi_major, 4);
AT(gp_entry, abi_minor, 6);
AT(gp_entry, info, 8);
AT(gp_entry, provider, 16);
AT(gp_entry, init, 24);
AT(gp_entry, deinit, 32);
AT(gp_entry, extension, 40);
ENDS(gp_entry, extension);

SIZE(gp_credential_ext, 24);
AT(gp_credential_ext, size, 0);
AT(gp_credential_ext, flags, 4);
AT(gp_credential_ext, refresh, 8);
AT(gp_credential_ext, resume, 16);
ENDS(gp_credential_ext, resume);

SIZE(gp_crypto_ext, 56);
AT(gp_crypto_ext, size, 0);
AT(gp_crypto_ext, flags, 4);
AT(gp_crypto_ext, random, 8);
AT(gp_crypto_ext, sha256, 16);
AT(gp_crypto_ext, hmac_sha256, 24);
AT(gp_crypto_ext, rs256_sign, 32);
AT(gp_crypto_ext, base64url_encode, 40);
AT(gp_crypto_ext, base64url_decode, 48);
ENDS(gp_crypto_ext, base64url_decode);

SIZE(gp_json_node, 24);
AT(gp_json_node, at, 0);
AT(gp_json_node, len, 8);
AT(gp_json_node, type, 16);
AT(gp_json_node, flags, 20);
ENDS(gp_json_node, flags);

SIZE(gp_json_member, 48);
AT(gp_json_member, key, 0);
AT(gp_json_member, value, 24);
ENDS(gp_json_member, value);

SIZE(gp_json_ext, 64);
AT(gp_json_ext, size, 0);
AT(gp_json_ext, flags, 4);
AT(gp_json_ext, validate, 8);
AT(gp_json_ext, index, 16);
AT(gp_json_ext, get, 24);
AT(gp_json_ext, first, 32);
AT(gp_json_ext, next, 40);
AT(gp_json_ext, decode, 48);
AT(gp_json_ext, quote, 56);
ENDS(gp_json_ext, quote);

SIZE(gp_count_plan, 40);
AT(gp_count_plan, size, 0);
AT(gp_count_plan, source, 4);
AT(gp_count_plan, name, 8);
AT(gp_count_plan, bearer, 24);
ENDS(gp_count_plan, bearer);

SIZE(gp_count_ext, 16);
AT(gp_count_ext, size, 0);
AT(gp_count_ext, flags, 4);
AT(gp_count_ext, plan, 8);
ENDS(gp_count_ext, plan);

SIZE(gp_limit, 88);
AT(gp_limit, name, 0);
AT(gp_limit, subject, 16);
AT(gp_limit, unit, 32);
AT(gp_limit, used_ppm, 48);
AT(gp_limit, limit, 56);
AT(gp_limit, remaining, 64);
AT(gp_limit, resets_at_ms, 72);
AT(gp_limit, scope, 80);
AT(gp_limit, flags, 84);
ENDS(gp_limit, flags);

SIZE(gp_limits_in, 64);
AT(gp_limits_in, size, 0);
AT(gp_limits_in, status, 4);
AT(gp_limits_in, protocol, 8);
AT(gp_limits_in, operation, 12);
AT(gp_limits_in, now_ms, 16);
AT(gp_limits_in, model, 24);
AT(gp_limits_in, headers, 40);
AT(gp_limits_in, header_count, 48);
AT(gp_limits_in, credential, 56);
ENDS(gp_limits_in, credential);

SIZE(gp_limits_ext, 16);
AT(gp_limits_ext, size, 0);
AT(gp_limits_ext, flags, 4);
AT(gp_limits_ext, read, 8);
ENDS(gp_limits_ext, read);

SIZE(gp_local, 48);
AT(gp_local, size, 0);
AT(gp_local, flags, 4);
AT(gp_local, status, 8);
AT(gp_local, reserved, 12);
AT(gp_local, headers, 16);
AT(gp_local, header_count, 24);
AT(gp_local, body, 32);
ENDS(gp_local, body);

SIZE(gp_piece, 32);
AT(gp_piece, size, 0);
AT(gp_piece, flags, 4);
AT(gp_piece, delay_ms, 8);
AT(gp_piece, bytes, 16);
ENDS(gp_piece, bytes);

SIZE(gp_local_ext, 32);
AT(gp_local_ext, size, 0);
AT(gp_local_ext, flags, 4);
AT(gp_local_ext, respond, 8);
AT(gp_local_ext, next, 16);
AT(gp_local_ext, release, 24);
ENDS(gp_local_ext, release);

SIZE(gp_oauth_ext, 32);
AT(gp_oauth_ext, size, 0);
AT(gp_oauth_ext, flags, 4);
AT(gp_oauth_ext, start, 8);
AT(gp_oauth_ext, callback, 16);
AT(gp_oauth_ext, resume, 24);
ENDS(gp_oauth_ext, resume);

SIZE(gp_quota_ext, 24);
AT(gp_quota_ext, size, 0);
AT(gp_quota_ext, flags, 4);
AT(gp_quota_ext, start, 8);
AT(gp_quota_ext, resume, 16);
ENDS(gp_quota_ext, resume);

SIZE(gp_thread_check_ext, 24);
AT(gp_thread_check_ext, size, 0);
AT(gp_thread_check_ext, flags, 4);
AT(gp_thread_check_ext, is_main, 8);
AT(gp_thread_check_ext, is_loop_of, 16);
ENDS(gp_thread_check_ext, is_loop_of);

SIZE(gp_usage, 48);
AT(gp_usage, size, 0);
AT(gp_usage, flags, 4);
AT(gp_usage, input_tokens, 8);
AT(gp_usage, output_tokens, 16);
AT(gp_usage, cached_read_tokens, 24);
AT(gp_usage, cached_write_tokens, 32);
AT(gp_usage, reasoning_tokens, 40);
ENDS(gp_usage, reasoning_tokens);

SIZE(gp_usage_ext, 16);
AT(gp_usage_ext, size, 0);
AT(gp_usage_ext, flags, 4);
AT(gp_usage_ext, extract, 8);
ENDS(gp_usage_ext, extract);
