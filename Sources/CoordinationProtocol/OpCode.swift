/// What a client asks for; the same numbers name the changes in the transaction log.
package enum OpCode: Int32, Sendable {
    case notification = 0
    case create = 1
    case delete = 2
    case exists = 3
    case getData = 4
    case setData = 5
    case getACL = 6
    case setACL = 7
    case getChildren = 8
    case sync = 9
    case ping = 11
    case getChildren2 = 12
    case check = 13
    case multi = 14
    case create2 = 15
    case reconfig = 16
    case checkWatches = 17
    case removeWatches = 18
    case createContainer = 19
    case deleteContainer = 20
    case createTTL = 21
    case multiRead = 22
    case auth = 100
    case setWatches = 101
    case sasl = 102
    case getEphemerals = 103
    case getAllChildrenNumber = 104
    case setWatches2 = 105
    case addWatch = 106
    case whoAmI = 107
    case createSession = -10
    case closeSession = -11
    case error = -1

    /// The four letters by which `cons` names the last operation of a connection.
    package var shortName: String {
        switch self {
        case .notification: "NOTI"
        case .create, .create2, .createContainer, .createTTL: "CREA"
        case .delete: "DELE"
        case .deleteContainer: "DELC"
        case .exists: "EXIS"
        case .getData: "GETD"
        case .setData: "SETD"
        case .getACL: "GETA"
        case .setACL: "SETA"
        case .getChildren, .getChildren2: "GETC"
        case .sync: "SYNC"
        case .ping: "PING"
        case .check: "CHEC"
        case .multi: "MULT"
        case .reconfig: "RECO"
        case .checkWatches: "CHKW"
        case .removeWatches: "REMW"
        case .multiRead: "MLTR"
        case .auth: "AUTH"
        case .setWatches: "SETW"
        case .sasl: "SASL"
        case .getEphemerals: "GETE"
        case .getAllChildrenNumber: "GETACN"
        case .setWatches2: "STW2"
        case .addWatch: "ADDW"
        case .whoAmI: "HOMI"
        case .createSession: "SESS"
        case .closeSession: "CLOS"
        case .error: "ERRO"
        }
    }
}

/// The `xid`s that are not a client's own counting.
package enum SpecialXid {
    package static let watchEvent: Int32 = -1
    package static let ping: Int32 = -2
    package static let auth: Int32 = -4
    package static let setWatches: Int32 = -8
}
