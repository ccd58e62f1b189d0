#include "modhost/local_answer.h"

#include <fmt/format.h>

#include "gproxy/ext/local.h"
#include "modhost/abi_text.h"
#include "modhost/call_request.h"
#include "modhost/header_check.h"
#include "modhost/host_api.h"

namespace gproxy::modhost {
namespace {

constexpr size_t kMaxPiece = size_t{1} << 20;
constexpr size_t kMaxBody = size_t{256} << 20;
constexpr int64_t kMaxDelayMs = 60'000;
constexpr int kMaxIdlePieces = 64;

}  // namespace

Result<LocalAnswer> LocalAnswer::respond(const Provider& provider, const CallRequest& request) {
  const auto* local = provider.module().extensions().local;
  if (local == nullptr) return provider.breach("respond", "the module has no " GP_EXT_LOCAL);
  gp_request in{};
  fill_request(request, in);
  in.credential = nullptr;
  gp_local out{};
  out.size = sizeof out;
  gp_error error{};
  error.size = sizeof error;
  LocalAnswer answer;
  answer.provider_ = &provider;
  answer.arena_ = request.arena;
  auto started = provider.clock().now_us();
  auto status = local->respond(provider.handle(), &in, &out, &answer.call_, &error);
  provider.note_duration("respond", started);
  if (answer.call_ != nullptr) {
    enter_call(answer.call_);
    if (local->release == nullptr) {
      answer.call_ = nullptr;  // nobody can end it
      return provider.breach("respond", "set *call, but release is null");
    }
  }
  if (status != GP_OK) return provider.refusal("respond", status, error, *request.arena);
  if (out.status < 200 || out.status > 599)
    return provider.breach("respond", fmt::format("the status {} is not 200 to 599", out.status));
  auto headers = check_headers(out.headers, out.header_count, Direction::down, *request.arena);
  if (!headers.ok()) return provider.breach("respond", headers.error().message);
  answer.streamed_ = (out.flags & GP_LOCAL_STREAM) != 0;
  if (answer.streamed_) {
    if (local->next == nullptr)
      return provider.breach("respond", "STREAM is set, but next is null");
    if (answer.call_ == nullptr)
      return provider.breach("respond", "STREAM is set, but *call is not");
    answer.reply_ = {out.status, *headers, {}};
    return answer;
  }
  if (!is_sound(out.body) || out.body.len > kMaxBody)
    return provider.breach("respond", "the body has no bytes, or too many");
  answer.reply_ = {out.status, *headers, view(out.body)};
  return answer;
}

LocalAnswer& LocalAnswer::operator=(LocalAnswer&& other) noexcept {
  if (this != &other) {
    release();
    provider_ = other.provider_;
    call_ = std::exchange(other.call_, nullptr);
    arena_ = other.arena_;
    reply_ = other.reply_;
    streamed_ = other.streamed_;
    idle_ = other.idle_;
  }
  return *this;
}

Result<LocalAnswer::Piece> LocalAnswer::next() {
  if (call_ == nullptr) return internal_error("a local answer that is over was asked for more");
  gp_piece piece{};
  piece.size = sizeof piece;
  auto started = provider_->clock().now_us();
  auto status = provider_->module().extensions().local->next(call_, &piece);
  provider_->note_duration("next", started);
  if (status != GP_OK) {
    gp_error none{};
    none.size = sizeof none;
    return provider_->refusal("next", status, none, *arena_);
  }
  if (!is_sound(piece.bytes) || piece.bytes.len > kMaxPiece) {
    return provider_->breach("next",
                             fmt::format("a piece has no bytes, or more than {}", kMaxPiece));
  }
  if (piece.delay_ms < 0 || piece.delay_ms > kMaxDelayMs) {
    return provider_->breach(
        "next", fmt::format("the delay {} is not 0 to {} ms", piece.delay_ms, kMaxDelayMs));
  }
  // Without bytes and without delay the answer would run in place for ever.
  bool last = (piece.flags & GP_PIECE_LAST) != 0;
  idle_ = piece.bytes.len == 0 && piece.delay_ms == 0 && !last ? idle_ + 1 : 0;
  if (idle_ > kMaxIdlePieces)
    return provider_->breach("next",
                             fmt::format("more than {} empty pieces in a row", kMaxIdlePieces));
  return Piece{view(piece.bytes), piece.delay_ms, last};
}

void LocalAnswer::release() {
  auto* call = std::exchange(call_, nullptr);
  if (call == nullptr) return;
  leave_call(call);
  provider_->module().extensions().local->release(call);
}

}  // namespace gproxy::modhost
