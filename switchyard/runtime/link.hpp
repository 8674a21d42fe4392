// Intrusive doubly linked list: an element takes itself out when it is destroyed, in O(1), without knowing its
// list.
#pragma once

#include <switchyard/base/assert.hpp>

namespace switchyard::inline v0::runtime {

/// The part of an element that hangs in at most one list.
class Link {
 public:
  Link() noexcept = default;
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { unlink(); }

  [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }
  void unlink() noexcept {
    if (next_ == nullptr) return;
    prev_->next_ = next_;
    next_->prev_ = prev_;
    prev_ = next_ = nullptr;
  }

 private:
  friend class LinkList;
  Link* prev_ = nullptr;
  Link* next_ = nullptr;
};

/// A list of elements derived from Link. Destroying it leaves its elements unlinked.
class LinkList {
 public:
  LinkList() noexcept { head_.prev_ = head_.next_ = &head_; }
  LinkList(const LinkList&) = delete;
  LinkList& operator=(const LinkList&) = delete;
  ~LinkList() {
    clear();
    head_.prev_ = head_.next_ = nullptr;
  }

  [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }
  void push_back(Link& link) noexcept {
    SY_ASSERT(!link.linked());
    link.prev_ = head_.prev_;
    link.next_ = &head_;
    head_.prev_->next_ = &link;
    head_.prev_ = &link;
  }
  [[nodiscard]] Link* front() noexcept { return empty() ? nullptr : head_.next_; }
  /// Behind `link`, which hangs here; null: it is the last.
  [[nodiscard]] Link* next(const Link& link) noexcept { return link.next_ == &head_ ? nullptr : link.next_; }
  /// Takes the first element out; null when empty.
  Link* pop_front() noexcept {
    Link* first = front();
    if (first != nullptr) first->unlink();
    return first;
  }
  /// Takes everything from `other`, behind what is here.
  void splice(LinkList& other) noexcept {
    if (other.empty()) return;
    Link* first = other.head_.next_;
    Link* last = other.head_.prev_;
    other.head_.prev_ = other.head_.next_ = &other.head_;
    first->prev_ = head_.prev_;
    head_.prev_->next_ = first;
    last->next_ = &head_;
    head_.prev_ = last;
  }
  void clear() noexcept {
    while (pop_front() != nullptr) {
    }
  }

 private:
  Link head_;
};

}  // namespace switchyard::inline v0::runtime
