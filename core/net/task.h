// A move-only callable without arguments: what is posted to a loop or deferred on it. Closures up
// to 48 bytes live inside, larger ones on the heap. Any thread may make one; it runs on the loop it
// was given to, and is destroyed there.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace gproxy::net {

class Task {
 public:
  static constexpr size_t kInlineBytes = 48;

  Task() = default;
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Task> && std::is_invocable_v<F&>)
      Task(F&& fn) {  // NOLINT: implicit, so that a lambda can be passed
    using Fn = std::remove_cvref_t<F>;
    if constexpr (fits<Fn>()) {
      new (storage_) Fn(std::forward<F>(fn));
    } else {
      *reinterpret_cast<Fn**>(storage_) = new Fn(std::forward<F>(fn));
    }
    vtable_ = &kVtable<Fn>;
  }
  Task(Task&& other) noexcept { take(other); }
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() { reset(); }

  explicit operator bool() const { return vtable_ != nullptr; }
  // REQUIRES: not empty.
  void operator()() { vtable_->call(storage_); }
  void reset() {
    if (vtable_ != nullptr) std::exchange(vtable_, nullptr)->destroy(storage_);
  }

 private:
  struct Vtable {
    void (*call)(void*);
    void (*move)(void* from, void* to) noexcept;  // `from` is dead afterwards
    void (*destroy)(void*) noexcept;
  };

  template <class Fn>
  static constexpr bool fits() {
    return sizeof(Fn) <= kInlineBytes && alignof(Fn) <= alignof(std::max_align_t) &&
           std::is_nothrow_move_constructible_v<Fn>;
  }
  template <class Fn>
  static Fn& get(void* storage) {
    if constexpr (fits<Fn>()) {
      return *std::launder(reinterpret_cast<Fn*>(storage));
    } else {
      return **reinterpret_cast<Fn**>(storage);
    }
  }
  template <class Fn>
  static void move_closure(void* from, void* to) noexcept {
    if constexpr (fits<Fn>()) {
      new (to) Fn(std::move(get<Fn>(from)));
      get<Fn>(from).~Fn();
    } else {
      *reinterpret_cast<Fn**>(to) = *reinterpret_cast<Fn**>(from);
    }
  }
  template <class Fn>
  static void destroy_closure(void* storage) noexcept {
    if constexpr (fits<Fn>()) {
      get<Fn>(storage).~Fn();
    } else {
      delete &get<Fn>(storage);
    }
  }
  template <class Fn>
  static constexpr Vtable kVtable{[](void* storage) { get<Fn>(storage)(); }, &move_closure<Fn>,
                                  &destroy_closure<Fn>};

  void take(Task& other) noexcept {
    vtable_ = std::exchange(other.vtable_, nullptr);
    if (vtable_ != nullptr) vtable_->move(other.storage_, storage_);
  }

  const Vtable* vtable_ = nullptr;
  alignas(std::max_align_t) std::byte storage_[kInlineBytes];
};

}  // namespace gproxy::net
