#include "net/loop.h"

#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "net/timer_wheel.h"
#include "net/uv_bits.h"

namespace gproxy::net {
namespace {

constexpr int kTailRounds = 64;  // then I/O gets its turn, without waiting
constexpr int64_t kSlowLogEveryMs = 1000;

// A socket whose peer is gone must fail a write, not end the process. OpenSSL has no flag for it.
void ignore_sigpipe() {
  static std::once_flag once;
  std::call_once(once, [] { ::signal(SIGPIPE, SIG_IGN); });
}

}  // namespace

struct HookList {
  TurnHook* head = nullptr;
  TurnHook* tail = nullptr;
};

struct Loop::State final : TimerWheel::Host {
  explicit State(LoopConfig c) : config(c) {}

  // TimerWheel::Host
  int64_t now_ms() const override { return static_cast<int64_t>(uv_now(&uv)); }
  void wake_at(int64_t deadline_ms) override {
    const int64_t delay = deadline_ms - now_ms();
    uv_timer_start(
        &wheel_timer, [](uv_timer_t* t) { static_cast<State*>(t->data)->on_wheel(); },
        delay > 0 ? static_cast<uint64_t>(delay) : 0, 0);
  }

  void push(HookList& list, TurnHook& hook) {
    if (hook.owner_ != nullptr) return;
    hook.owner_ = &list;
    hook.next_ = nullptr;
    hook.prev_ = list.tail;
    (list.tail != nullptr ? list.tail->next_ : list.head) = &hook;
    list.tail = &hook;
  }
  // Calls those that are in the list now; the ones they add come in the next round.
  static void call_all(HookList& list) {
    TurnHook* const last = list.tail;
    bool more = last != nullptr;
    while (more && list.head != nullptr) {
      TurnHook* hook = list.head;
      more = hook != last;
      hook->cancel();
      hook->callback_(hook->context_);  // may destroy *hook
    }
  }

  bool tail_empty() const {
    return kicks.head == nullptr && deferred.empty() && flushes.head == nullptr;
  }
  void run_deferred() {
    running.swap(deferred);
    for (Task& task : running) {
      task();
      task.reset();
    }
    running.clear();
  }
  void run_tail() {
    for (int round = 0; round < kTailRounds && !tail_empty(); ++round) {
      call_all(kicks);
      if (!deferred.empty()) run_deferred();
      // Flushes last, so that one write carries what the whole turn produced.
      if (kicks.head == nullptr && deferred.empty()) call_all(flushes);
    }
    // An idle handle keeps the next poll from waiting.
    const bool more = !tail_empty();
    if (more != idling) {
      idling = more;
      if (more) {
        uv_idle_start(&idle, [](uv_idle_t*) {});
      } else {
        uv_idle_stop(&idle);
      }
    }
  }

  void on_prepare() {
    if (tail_empty() && !worked) return;
    run_tail();
    worked = false;
    measure();
  }
  void on_check() {
    ++stats.turns;
    if (!tail_empty()) run_tail();
    measure();
  }
  void on_wheel() {
    worked = true;
    wheel.advance();
  }
  void on_async() {
    {
      std::lock_guard lock(mutex);
      inbox_running.swap(inbox);
    }
    for (Task& task : inbox_running) {
      task();
      task.reset();
    }
    stats.posted += inbox_running.size();
    inbox_running.clear();
  }

  // libuv reads its clock when the poll returns and when a turn begins, so the distance to it is
  // the time spent in callbacks: one clock read per turn.
  int64_t busy_ms() const { return Loop::now_us() / 1000 - now_ms() + skipped_ms; }
  void measure() {
    const int64_t busy = busy_ms();
    skipped_ms = 0;
    if (busy > stats.longest_turn_ms) stats.longest_turn_ms = busy;
    if (config.slow_turn_ms <= 0 || busy < config.slow_turn_ms) return;
    ++stats.slow_turns;
    if (now_ms() - last_slow_log < kSlowLogEveryMs) return;
    last_slow_log = now_ms();
    log::warn("the event loop was held up", {{"ms", busy}, {"slow_turns", stats.slow_turns}});
  }

  LoopConfig config;
  uv_loop_t uv{};
  uv_async_t async{};
  uv_prepare_t prepare{};
  uv_check_t check{};
  uv_idle_t idle{};
  uv_timer_t wheel_timer{};
  bool opened = init();  // before the wheel, which asks for the time
  TimerWheel wheel{*this};

  HookList kicks;
  HookList flushes;
  std::vector<Task> deferred;
  std::vector<Task> running;

  std::mutex mutex;
  std::vector<Task> inbox;  // guarded by mutex
  std::vector<Task> inbox_running;

  std::unique_ptr<char[]> block = std::make_unique_for_overwrite<char[]>(config.read_block_bytes);
  std::thread::id thread = std::this_thread::get_id();
  LoopStats stats;
  int64_t last_slow_log = -kSlowLogEveryMs;
  int64_t skipped_ms = 0;  // what update_time() hid from the watchdog in this turn
  bool idling = false;
  bool worked = false;

 private:
  bool init() {
    ignore_sigpipe();
    int status = uv_loop_init(&uv);
    if (status == 0) {
      status = uv_async_init(&uv, &async, [](uv_async_t* h) {
        auto* self = static_cast<State*>(h->data);
        self->worked = true;
        self->on_async();
      });
    }
    if (status != 0) {
      // No descriptors or memory at start: nothing can run without a loop.
      std::fprintf(stderr, "gproxy: cannot create an event loop: %s\n", uv_strerror(status));
      std::abort();
    }
    uv_prepare_init(&uv, &prepare);
    uv_check_init(&uv, &check);
    uv_idle_init(&uv, &idle);
    uv_timer_init(&uv, &wheel_timer);
    async.data = prepare.data = check.data = idle.data = wheel_timer.data = this;
    uv_prepare_start(&prepare, [](uv_prepare_t* h) { static_cast<State*>(h->data)->on_prepare(); });
    uv_check_start(&check, [](uv_check_t* h) { static_cast<State*>(h->data)->on_check(); });
    // Only the async handle keeps the loop alive: run() ends by stop() alone.
    uv_unref(reinterpret_cast<uv_handle_t*>(&prepare));
    uv_unref(reinterpret_cast<uv_handle_t*>(&check));
    uv_unref(reinterpret_cast<uv_handle_t*>(&idle));
    return true;
  }
};

void TurnHook::cancel() {
  if (owner_ == nullptr) return;
  auto& list = *static_cast<HookList*>(owner_);
  (prev_ != nullptr ? prev_->next_ : list.head) = next_;
  (next_ != nullptr ? next_->prev_ : list.tail) = prev_;
  owner_ = nullptr;
  prev_ = next_ = nullptr;
}

Loop::Loop(LoopConfig config) : state_(std::make_unique<State>(config)) {}

Loop::~Loop() {
  State& s = *state_;
  s.thread = std::this_thread::get_id();
  s.on_async();
  for (int round = 0; round < kTailRounds && !s.tail_empty(); ++round) s.run_tail();
  for (auto* handle :
       {reinterpret_cast<uv_handle_t*>(&s.async), reinterpret_cast<uv_handle_t*>(&s.prepare),
        reinterpret_cast<uv_handle_t*>(&s.check), reinterpret_cast<uv_handle_t*>(&s.idle),
        reinterpret_cast<uv_handle_t*>(&s.wheel_timer)}) {
    uv_close(handle, nullptr);
  }
  size_t strays = 0;
  uv_walk(
      &s.uv,
      [](uv_handle_t* handle, void* count) {
        if (uv_is_closing(handle)) return;
        ++*static_cast<size_t*>(count);
        uv_close(handle, nullptr);
      },
      &strays);
  if (strays > 0) log::error("handles were still open on a closing loop", {{"count", strays}});
  GP_ASSERT(strays == 0);
  uv_run(&s.uv, UV_RUN_DEFAULT);
  while (!s.tail_empty()) {
    s.run_deferred();
    State::call_all(s.kicks);
    State::call_all(s.flushes);
  }
  uv_loop_close(&s.uv);
}

void Loop::run() {
  state_->thread = std::this_thread::get_id();
  uv_run(&state_->uv, UV_RUN_DEFAULT);
}

void Loop::stop() {
  post([this] { uv_stop(&state_->uv); });
}

void Loop::run_once(Wait wait) {
  state_->thread = std::this_thread::get_id();
  uv_run(&state_->uv, wait == Wait::no ? UV_RUN_NOWAIT : UV_RUN_ONCE);
}

void Loop::post(Task task) {
  bool first;
  {
    std::lock_guard lock(state_->mutex);
    first = state_->inbox.empty();
    state_->inbox.push_back(std::move(task));
  }
  // One wake-up per batch: whoever finds the box empty rings.
  if (first) uv_async_send(&state_->async);
}

void Loop::defer(Task task) {
  GP_ASSERT(is_current());
  state_->deferred.push_back(std::move(task));
}

void Loop::at_turn_end(TurnHook& hook) {
  GP_ASSERT(is_current());
  state_->push(state_->flushes, hook);
}

void Loop::kick(TurnHook& hook) {
  GP_ASSERT(is_current());
  state_->push(state_->kicks, hook);
}

int64_t Loop::now_ms() const {
  return state_->now_ms();
}
int64_t Loop::now_us() {
  return static_cast<int64_t>(uv_hrtime() / 1000);
}

int64_t Loop::busy_ms() const {
  return state_->busy_ms();
}

void Loop::update_time() {
  const int64_t before = now_ms();
  uv_update_time(&state_->uv);
  state_->skipped_ms += now_ms() - before;
}

bool Loop::is_current() const {
  return state_->thread == std::this_thread::get_id();
}
std::span<char> Loop::read_block() {
  return {state_->block.get(), state_->config.read_block_bytes};
}
const LoopStats& Loop::stats() const {
  return state_->stats;
}
void Loop::reset_longest_turn() {
  state_->stats.longest_turn_ms = 0;
}
uv_loop_s* Loop::native() {
  return &state_->uv;
}
TimerWheel& Loop::timers() {
  return state_->wheel;
}

}  // namespace gproxy::net
