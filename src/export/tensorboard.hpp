#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace cupg {

// TensorBoard's event files: tensorboard_header, then records one after the other. A file that ends inside a record has those before it.
// Wall times are in seconds since 1970.

struct TaggedScalar {
  std::string_view tag;  ///< UTF-8; TensorBoard groups by what stands before a '/'
  float value;           ///< may be NaN or infinite
};

/// The first record of an event file: the version of the format.
std::string tensorboard_header(double wall_time);

/// One record: the scalars of a step. Without scalars, it is an event that TensorBoard passes over.
std::string tensorboard_record(double wall_time, std::int64_t step, std::span<const TaggedScalar> scalars);

/// A file name that TensorBoard recognizes, as its own writers make it of the time: "events.out.tfevents.1700000000.cupg".
std::string tensorboard_file_name(std::int64_t seconds);

/// What every record is stored in: a record of TensorFlow's TFRecord format with this data.
std::string tfrecord(std::string_view data);

}  // namespace cupg
