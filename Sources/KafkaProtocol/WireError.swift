import Bytes

/// What can be wrong with a message: on reading the peer's bytes, on writing our own demands on an old version.
package enum WireError: Error, Equatable {
    case malformed(ByteError)
    /// A null where this version of the message has none.
    case unexpectedNull
    /// The body went on after its last field.
    case trailingBytes(Int)
    /// Tags come in ascending order, each once.
    case tagsOutOfOrder
    /// A tagged field did not take exactly the bytes announced for it.
    case tagSizeMismatch
    case unknownApi(Int16)
    /// The message does not exist in this version.
    case unspokenVersion(Int16)
    /// A field holds something that this version cannot say and that must not be lost silently.
    case unspokenField(version: Int16)
    /// A text of more than 32,767 bytes, or a null where the version has none.
    case unwritable
}
