#include "src/export/tensorboard.hpp"

#include <fmt/format.h>

#include <bit>
#include <boost/crc.hpp>
#include <cstdint>
#include <protozero/pbf_builder.hpp>
#include <string>
#include <string_view>

namespace cupg {
namespace {

// Numbers of the fields that are written, from tensorflow/core/util/event.proto and tensorflow/core/framework/summary.proto of TensorFlow
// (https://github.com/tensorflow/tensorflow).
using Number = protozero::pbf_tag_type;
enum class Event : Number { wall_time = 1, step = 2, file_version = 3, summary = 5 };
enum class Summary : Number { value = 1 };
enum class Value : Number { tag = 1, simple_value = 2 };

template <class Message>
using Builder = protozero::pbf_builder<Message>;

static_assert(std::endian::native == std::endian::little, "TFRecord's numbers are little-endian");

template <class T>
void append(std::string& bytes, T number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

/// CRC-32C (Castagnoli), rotated and shifted: the CRC of bytes that contain their own CRC would be a poor check.
std::uint32_t masked_crc(std::string_view bytes) {
  boost::crc_optimal<32, 0x1edc6f41, 0xffffffff, 0xffffffff, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return std::rotr(static_cast<std::uint32_t>(crc.checksum()), 15) + 0xa282ead8U;
}

}  // namespace

// tensorflow/core/lib/io/record_writer.h: uint64 length, uint32 masked CRC of the length, data, uint32 masked CRC of the data.
std::string tfrecord(std::string_view data) {
  std::string record;
  record.reserve(data.size() + 16);
  append(record, std::uint64_t{data.size()});
  append(record, masked_crc(record));
  record += data;
  append(record, masked_crc(data));
  return record;
}

std::string tensorboard_header(double wall_time) {
  std::string bytes;
  Builder<Event> event(bytes);
  event.add_double(Event::wall_time, wall_time);
  event.add_string(Event::file_version, "brain.Event:2");
  return tfrecord(bytes);
}

std::string tensorboard_record(double wall_time, std::int64_t step, std::span<const TaggedScalar> scalars) {
  std::string bytes;
  Builder<Event> event(bytes);
  event.add_double(Event::wall_time, wall_time);
  event.add_int64(Event::step, step);
  {
    Builder<Summary> summary(event, Event::summary);
    for (const TaggedScalar& scalar : scalars) {
      Builder<Value> value(summary, Summary::value);
      value.add_string(Value::tag, scalar.tag.data(), scalar.tag.size());
      value.add_float(Value::simple_value, scalar.value);
    }
  }  // which completes the summary
  return tfrecord(bytes);
}

std::string tensorboard_file_name(std::int64_t seconds) { return fmt::format("events.out.tfevents.{:010}.cupg", seconds); }

}  // namespace cupg
