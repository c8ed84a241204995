import CSystem
import CZlib

/// The checksums of the formats we share with others.
package enum Checksum {
    /// CRC-32C: record batches v2, producer snapshots.
    package static func crc32c(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt32 = 0) -> UInt32 {
        csystem_crc32c(crc, bytes.baseAddress, bytes.count)
    }
    /// CRC-32 (IEEE): messages v0 and v1, librdkafka's partitioner.
    package static func crc32(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt32 = 0) -> UInt32 {
        UInt32(
            truncatingIfNeeded: CZlib.crc32_z(
                UInt(crc), bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count))
    }
    /// Adler-32: the coordination service's transaction log and snapshots. Begins with 1.
    package static func adler32(_ bytes: UnsafeRawBufferPointer, continuing sum: UInt32 = 1) -> UInt32 {
        guard bytes.count > 0 else { return sum }
        return UInt32(
            truncatingIfNeeded: CZlib.adler32_z(
                UInt(sum), bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count))
    }
}
