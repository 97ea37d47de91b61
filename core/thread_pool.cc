// SPDX-License-Identifier: Apache-2.0
#include "halite/core/thread_pool.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace halite {
namespace {

// An idle worker looks for work without pause for some 30 microseconds, the gap between two kernels
// of a training step; then it lets others run between two looks for a millisecond more, the gap
// between two steps; then it sleeps. Waking it costs the caller 7 microseconds, and it starts up to
// 80 later. Where another thread wants its processor it sleeps at once: a thread that is woken is
// preferred to one that runs (another library's spinning worker, say), one that yields is not.
constexpr int kSpins = 2000;
constexpr auto kYielding = std::chrono::milliseconds(1);
constexpr auto kTaken = std::chrono::microseconds(20);  // a yield that others have used

inline void Pause() { __builtin_ia32_pause(); }

// Whether `found` came true before it was time to sleep.
template <typename Found>
bool Spin(const Found& found) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (found()) return true;
    Pause();
  }
  using Clock = std::chrono::steady_clock;
  auto now = Clock::now();
  for (const auto end = now + kYielding; now < end;) {
    if (found()) return true;
    const auto before = now;
    std::this_thread::yield();
    now = Clock::now();
    if (now - before > kTaken) return found();
  }
  return false;
}

// One parallel loop. It lives on the caller's stack; `workers` holds it there until none uses it.
struct Loop {
  int (*task)(void*, int, uint8_t*);
  void* context;
  uint8_t* closure;
  int end;
  std::atomic<int> next;
  std::atomic<int> result{0};

  void Run() {
    for (int i; (i = next.fetch_add(1, std::memory_order_relaxed)) < end;) {
      if (const int status = task(context, i, closure); status != 0) {
        int none = 0;
        result.compare_exchange_strong(none, status);
        next.store(end, std::memory_order_relaxed);
      }
    }
  }
};

class ThreadPool {
 public:
  // Never destroyed: workers may sleep in it while the program exits.
  static ThreadPool& Get() {
    static auto& pool = *new ThreadPool;
    return pool;
  }

  // False if the workers are busy with another loop.
  bool Run(Loop& loop, int threads) {
    std::unique_lock<std::mutex> turn(turn_, std::try_to_lock);
    if (!turn.owns_lock()) return false;
    Grow(threads - 1);
    // Publish: places first, then the loop; a worker takes a place before it looks at the loop.
    loop_.store(&loop, std::memory_order_relaxed);
    tickets_.store(threads - 1, std::memory_order_seq_cst);
    if (sleeping_.load(std::memory_order_seq_cst) > 0) {
      std::lock_guard<std::mutex> lock(sleep_mutex_);
      wake_.notify_all();
    }
    loop.Run();
    // Withdraw the places not taken, then wait for the workers that hold one.
    const int left = tickets_.exchange(0, std::memory_order_acq_rel);
    const int taken = threads - 1 - left;
    for (int spin = 0; finished_.load(std::memory_order_acquire) != taken; ++spin) {
      spin < kSpins ? Pause() : std::this_thread::yield();
    }
    finished_.store(0, std::memory_order_relaxed);
    return true;
  }

 private:
  void Grow(int workers) {
    while (static_cast<int>(workers_.size()) < workers) {
      workers_.emplace_back([this] { Work(); });
      workers_.back().detach();
    }
  }

  bool TakeTicket() {
    int tickets = tickets_.load(std::memory_order_seq_cst);
    while (tickets > 0) {
      if (tickets_.compare_exchange_weak(tickets, tickets - 1, std::memory_order_acq_rel)) {
        return true;
      }
    }
    return false;
  }

  void Work() {
    for (;;) {
      bool taken = Spin([this] { return TakeTicket(); });
      if (!taken) {
        std::unique_lock<std::mutex> lock(sleep_mutex_);
        sleeping_.fetch_add(1, std::memory_order_seq_cst);
        wake_.wait(lock, [&] { return taken = TakeTicket(); });
        sleeping_.fetch_sub(1, std::memory_order_seq_cst);
      }
      loop_.load(std::memory_order_relaxed)->Run();
      finished_.fetch_add(1, std::memory_order_release);
    }
  }

  std::mutex turn_;
  std::vector<std::thread> workers_;  // guarded by turn_
  std::atomic<Loop*> loop_{nullptr};
  std::atomic<int> tickets_{0};
  std::atomic<int> finished_{0};
  std::atomic<int> sleeping_{0};
  std::mutex sleep_mutex_;
  std::condition_variable wake_;
};

}  // namespace

int ParallelFor(int threads, int (*task)(void*, int, uint8_t*), void* context, int min, int size,
                uint8_t* closure) {
  if (threads > size) threads = size;
  if (threads > 1) {
    Loop loop{task, context, closure, min + size, {min}};
    if (ThreadPool::Get().Run(loop, threads)) return loop.result.load();
  }
  for (int i = min; i < min + size; ++i) {
    if (const int status = task(context, i, closure); status != 0) return status;
  }
  return 0;
}

}  // namespace halite
