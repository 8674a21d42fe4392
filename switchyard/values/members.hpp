// Reflection of plain structs: how many members, their names and types, without macros and in C++20.
//
// A struct qualifies if it is an aggregate without base classes, C arrays and references, default constructible,
// with at most 64 members. What does not qualify is refused by a static_assert that says what to change.
//
// How it works: the members are counted by trying how many initialisers the aggregate takes; structured bindings
// name them; and a member's name is cut from the compiler's spelling of a pointer to it (__PRETTY_FUNCTION__).
#pragma once

#include <switchyard/values/member_pointers.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace switchyard::inline v0 {

/// Column names of T's members, in order, where they differ from the members' own:
///   template <> struct switchyard::ColumnNames<Order> {
///     static constexpr std::array<std::string_view, 2> names{"id", "class"};
///   };
template <class T>
struct ColumnNames;

namespace values {

/// Converts to any member type by value. Only asked about, never called.
struct AnyMember {
  template <class T>
    requires(!std::is_same_v<T, const char*> && !std::is_same_v<T, std::nullptr_t>)
  operator T() const noexcept {
    __builtin_unreachable();
  }
};

/// Converts to pointers and references, which a row can't fill: to tell such members apart.
struct AnyReferable {
  template <class T>
  operator T&() const&& noexcept {
    __builtin_unreachable();
  }
  template <class T>
  operator T&&() const&& noexcept {
    __builtin_unreachable();
  }
};

/// Converts to a base class of T only.
template <class T>
struct AnyBaseOf {
  template <class Base>
    requires(std::is_base_of_v<Base, T> && !std::is_same_v<Base, T>)
  operator Base() const noexcept {
    __builtin_unreachable();
  }
};

template <class Any, std::size_t>
using Repeated = Any;

template <class T, class Any, std::size_t... I>
[[nodiscard]] constexpr bool takes(std::index_sequence<I...>) noexcept {
  return requires { T{Repeated<Any, I>{}...}; };
}

template <class T, class Any, std::size_t kCount = 0>
[[nodiscard]] constexpr std::size_t count_initializers() noexcept {
  if constexpr (kCount > kMaxMembers || !takes<T, Any>(std::make_index_sequence<kCount + 1>())) {
    return kCount;
  } else {
    return count_initializers<T, Any, kCount + 1>();
  }
}

/// Whether T{any x before, {any, any}, any x behind} is well-formed.
template <class T, std::size_t... Before, std::size_t... Behind>
[[nodiscard]] constexpr bool takes_braced_pair(std::index_sequence<Before...>, std::index_sequence<Behind...>) {
  return requires {
    T{Repeated<AnyMember, Before>{}..., {AnyMember{}, AnyMember{}}, Repeated<AnyMember, Behind>{}...};
  };
}

/// The elements of a C array take initialisers of their own. At such a place a braced pair is welcome, but then
/// there is no longer room for one initialiser for each of the others.
template <class T, std::size_t kCount, std::size_t kAt>
[[nodiscard]] constexpr bool array_at() noexcept {
  if constexpr (takes_braced_pair<T>(std::make_index_sequence<kAt>(), std::make_index_sequence<0>())) {
    return !takes_braced_pair<T>(std::make_index_sequence<kAt>(), std::make_index_sequence<kCount - kAt - 1>());
  } else {
    return false;
  }
}

template <class T, std::size_t kCount, std::size_t... At>
[[nodiscard]] constexpr bool has_array(std::index_sequence<At...>) noexcept {
  return (array_at<T, kCount, At>() || ...);
}

/// Number of members of a struct that can be mapped; a compile error in words for one that can't.
template <class T>
[[nodiscard]] consteval std::size_t member_count() {
  static_assert(std::is_class_v<T> && std::is_aggregate_v<T>,
                "only plain structs are mapped by member name: no constructors, no private members, no virtual "
                "functions (for other classes write a ValueTrait or a Codec)");
  static_assert(std::is_default_constructible_v<T>,
                "a struct that rows are read into must be default constructible (no reference members)");
  static_assert(
      !requires { T{AnyBaseOf<T>{}}; },
      "a struct with base classes can't be mapped by member name: write the members into one struct");
  constexpr std::size_t kCount = count_initializers<T, AnyMember>();
  static_assert(kCount > 0, "a struct without members has no columns");
  static_assert(kCount <= kMaxMembers, "a struct that rows are read into has at most 64 members");
  static_assert(count_initializers<T, AnyReferable>() <= kCount,
                "a struct that rows are read into can't have a const char* member: use std::string");
  static_assert(!has_array<T, kCount>(std::make_index_sequence<kCount>()),
                "a struct with a C array can't be mapped by member name: use std::vector, std::string or Bytes");
  return kCount;
}

/// Never defined: only addresses of its parts are taken, at compile time.
template <class T>
struct NeverMade {
  T value;
};

#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-var-template"
#pragma clang diagnostic ignored "-Wundefined-internal"
#elif defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-variable"
#endif

template <class T>
extern const NeverMade<T> kNeverMade;

/// A class, because clang before 18 takes no bare pointer to a subobject as template argument.
template <class Pointer>
struct PointerArgument {
  Pointer pointer;
};
template <class Pointer>
PointerArgument(Pointer) -> PointerArgument<Pointer>;

template <PointerArgument kPointer>
[[nodiscard]] consteval std::string_view spelled_member() {
  // clang: "... &kNeverMade.value.name}]", g++: "... (& kNeverMade<T>.NeverMade<T>::value.T::name)}; ...".
  std::string_view text = __PRETTY_FUNCTION__;
  text = text.substr(0, text.rfind('}'));
  while (text.back() == ')') text.remove_suffix(1);
  return text.substr(text.find_last_of(".:") + 1);
}

template <class T, std::size_t kIndex>
[[nodiscard]] consteval std::string_view member_name() {
  return spelled_member<PointerArgument{
      std::get<kIndex>(member_pointers<member_count<T>()>(kNeverMade<T>.value))}>();
}

#if defined(__clang__)
#pragma clang diagnostic pop
#elif defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

template <class T>
using MemberPointers = decltype(member_pointers<member_count<T>()>(std::declval<T&>()));

template <class T, std::size_t kIndex>
using MemberType = std::remove_pointer_t<std::tuple_element_t<kIndex, MemberPointers<T>>>;

template <class T>
concept HasColumnNames = requires { ColumnNames<T>::names; };

/// The names of the columns that fill T's members.
template <class T, std::size_t... I>
[[nodiscard]] consteval auto make_column_names(std::index_sequence<I...>) {
  if constexpr (HasColumnNames<T>) {
    static_assert(std::size(ColumnNames<T>::names) == sizeof...(I), "ColumnNames must name every member");
    return std::array<std::string_view, sizeof...(I)>{ColumnNames<T>::names[I]...};
  } else {
    return std::array<std::string_view, sizeof...(I)>{member_name<T, I>()...};
  }
}

template <class T>
inline constexpr auto kColumnNames = make_column_names<T>(std::make_index_sequence<member_count<T>()>());

/// Calls visit.operator()<MemberType, index>(member) for each member of the object.
template <class T, class Visit>
constexpr void for_each_member(T& object, Visit&& visit) {
  const auto pointers = member_pointers<member_count<std::remove_const_t<T>>()>(object);
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (visit.template operator()<I>(*std::get<I>(pointers)), ...);
  }(std::make_index_sequence<std::tuple_size_v<decltype(pointers)>>());
}

}  // namespace values
}  // namespace switchyard::inline v0
