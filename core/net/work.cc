#include "net/work.h"

#include "net/uv_bits.h"

namespace gproxy::net {

struct PendingWork::Job {
  uv_work_t request{};
  Task work;
  Task done;
  PendingWork* handle = nullptr;  // null once cancelled
};

PendingWork::PendingWork(Job* job) : job_(job) {
  job_->handle = this;
}

PendingWork::PendingWork(PendingWork&& other) noexcept : job_(std::exchange(other.job_, nullptr)) {
  if (job_ != nullptr) job_->handle = this;
}

PendingWork& PendingWork::operator=(PendingWork&& other) noexcept {
  if (this != &other) {
    cancel();
    job_ = std::exchange(other.job_, nullptr);
    if (job_ != nullptr) job_->handle = this;
  }
  return *this;
}

PendingWork PendingWork::start(Loop& loop, Task work, Task done) {
  auto* job = new Job;
  job->request.data = job;
  job->work = std::move(work);
  job->done = std::move(done);
  PendingWork pending(job);
  // Fails only for a null callback.
  uv_queue_work(
      loop.native(), &job->request,
      [](uv_work_t* request) { static_cast<Job*>(request->data)->work(); },
      [](uv_work_t* request, int status) {
        std::unique_ptr<Job> job(static_cast<Job*>(request->data));
        if (job->handle == nullptr || status != 0) return;
        job->handle->job_ = nullptr;
        job->done();
      });
  return pending;
}

void PendingWork::cancel() {
  if (job_ == nullptr) return;
  Job* job = std::exchange(job_, nullptr);
  job->handle = nullptr;
  // Succeeds only for work that has not begun; the loop frees the job either way.
  uv_cancel(reinterpret_cast<uv_req_t*>(&job->request));
}

}  // namespace gproxy::net
