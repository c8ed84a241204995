/// Why an operation was not done, with the code it has on the wire. Codes this version does not know are kept.
package struct CoordinationError: Error, Hashable, Sendable, RawRepresentable, CustomStringConvertible {
    package var rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }

    package static let ok = CoordinationError(rawValue: 0)
    package static let systemError = CoordinationError(rawValue: -1)
    package static let runtimeInconsistency = CoordinationError(rawValue: -2)
    package static let dataInconsistency = CoordinationError(rawValue: -3)
    /// The connection was lost before the answer came: the operation may or may not have been done.
    package static let connectionLoss = CoordinationError(rawValue: -4)
    package static let marshallingError = CoordinationError(rawValue: -5)
    package static let unimplemented = CoordinationError(rawValue: -6)
    package static let operationTimeout = CoordinationError(rawValue: -7)
    package static let badArguments = CoordinationError(rawValue: -8)
    package static let unknownSession = CoordinationError(rawValue: -12)
    package static let newConfigNoQuorum = CoordinationError(rawValue: -13)
    package static let reconfigInProgress = CoordinationError(rawValue: -14)
    package static let noNode = CoordinationError(rawValue: -101)
    package static let noAuth = CoordinationError(rawValue: -102)
    package static let badVersion = CoordinationError(rawValue: -103)
    package static let noChildrenForEphemerals = CoordinationError(rawValue: -108)
    package static let nodeExists = CoordinationError(rawValue: -110)
    package static let notEmpty = CoordinationError(rawValue: -111)
    package static let sessionExpired = CoordinationError(rawValue: -112)
    package static let invalidCallback = CoordinationError(rawValue: -113)
    package static let invalidACL = CoordinationError(rawValue: -114)
    package static let authFailed = CoordinationError(rawValue: -115)
    package static let sessionMoved = CoordinationError(rawValue: -118)
    package static let notReadOnly = CoordinationError(rawValue: -119)
    package static let ephemeralOnLocalSession = CoordinationError(rawValue: -120)
    package static let noWatcher = CoordinationError(rawValue: -121)
    package static let requestTimeout = CoordinationError(rawValue: -122)
    package static let reconfigDisabled = CoordinationError(rawValue: -123)
    package static let sessionClosedRequireSaslAuth = CoordinationError(rawValue: -124)
    package static let quotaExceeded = CoordinationError(rawValue: -125)
    package static let throttledOp = CoordinationError(rawValue: -127)

    /// As tools and other clients' exceptions spell it: `NoNode`.
    package var name: String { CoordinationError.texts[rawValue]?.name ?? "Unknown(\(rawValue))" }
    /// A sentence for people.
    package var message: String { CoordinationError.texts[rawValue]?.message ?? "error \(rawValue)" }
    package var description: String { name }

    private static let texts: [Int32: (name: String, message: String)] = [
        0: ("Ok", "done"),
        -1: ("SystemError", "the coordinator met an error of its own"),
        -2: ("RuntimeInconsistency", "not done because another operation of the same transaction failed"),
        -3: ("DataInconsistency", "the coordinator found its data inconsistent"),
        -4: ("ConnectionLoss", "the connection was lost before the answer came"),
        -5: ("MarshallingError", "the request could not be read"),
        -6: ("Unimplemented", "this operation is not offered here"),
        -7: ("OperationTimeout", "the answer did not come in time"),
        -8: ("BadArguments", "a path or argument is not valid"),
        -12: ("UnknownSession", "the session is not known"),
        -13: ("NewConfigNoQuorum", "the new configuration has no quorum"),
        -14: ("ReconfigInProgress", "another reconfiguration is under way"),
        -101: ("NoNode", "no such node"),
        -102: ("NoAuth", "the node's access control list does not allow it"),
        -103: ("BadVersion", "the version is not the expected one"),
        -108: ("NoChildrenForEphemerals", "an ephemeral node cannot have children"),
        -110: ("NodeExists", "the node is there already"),
        -111: ("NotEmpty", "the node has children"),
        -112: ("SessionExpired", "the session has expired or was closed"),
        -113: ("InvalidCallback", "invalid callback"),
        -114: ("InvalidACL", "the access control list is not valid"),
        -115: ("AuthFailed", "the credentials were not accepted"),
        -118: ("SessionMoved", "the session has moved to another server"),
        -119: ("NotReadOnly", "a read-only server does not write"),
        -120: ("EphemeralOnLocalSession", "a local session cannot own ephemeral nodes"),
        -121: ("NoWatcher", "there is no such watch"),
        -122: ("RequestTimeout", "the request took too long"),
        -123: ("ReconfigDisabled", "reconfiguration is disabled"),
        -124: ("SessionClosedRequireSaslAuth", "the session was closed because SASL authentication is required"),
        -125: ("QuotaExceeded", "a quota would be exceeded"),
        -127: ("ThrottledOp", "the operation was refused because of high load"),
    ]
}
