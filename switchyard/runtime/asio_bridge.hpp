// A shard on a loop of the user's. The only header for users of this room that includes Asio.
#pragma once

#include <switchyard/base/export.hpp>
#include <switchyard/runtime/shard.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace switchyard::inline v0::runtime {

/// A shard whose work runs on `executor`: an io_context run by one thread, or a strand. The shard is made, used and
/// destroyed on that executor; its run functions are not available.
[[nodiscard]] SWITCHYARD_API std::unique_ptr<Shard> make_shard(boost::asio::any_io_executor executor,
                                                               int index = 0);

}  // namespace switchyard::inline v0::runtime
