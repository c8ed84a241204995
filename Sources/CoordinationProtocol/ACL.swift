/// Who may do what with a node.
package struct ACL: JuteRecord, Hashable, Sendable {
    package var permissions: Permissions = []
    /// `world`, `auth`, `digest`, `ip`.
    package var scheme = ""
    package var id = ""

    package init() {}
    package init(_ permissions: Permissions, scheme: String, id: String) {
        self.permissions = permissions
        self.scheme = scheme
        self.id = id
    }

    /// Everybody may do everything.
    package static let open = [ACL(.all, scheme: "world", id: "anyone")]
    /// Who creates it may do everything, by whatever he authenticated with.
    package static let creatorAll = [ACL(.all, scheme: "auth", id: "")]
    package static let readOnly = [ACL(.read, scheme: "world", id: "anyone")]

    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.int32(&permissions.rawValue)
        try jute.string(&scheme)
        // Some clients write an empty id as null: kazoo for `auth`, whose id means nothing.
        var text: String? = id
        try jute.nullableString(&text)
        id = text ?? ""
    }
}

package struct Permissions: OptionSet, Hashable, Sendable {
    package var rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }

    package static let read = Permissions(rawValue: 1)
    package static let write = Permissions(rawValue: 2)
    /// Of children.
    package static let create = Permissions(rawValue: 4)
    /// Of children.
    package static let delete = Permissions(rawValue: 8)
    package static let admin = Permissions(rawValue: 16)
    package static let all = Permissions(rawValue: 31)
}

/// An identity a connection has proven.
package struct ClientInfo: JuteRecord, Hashable, Sendable {
    package var scheme = ""
    package var user = ""
    package init() {}
    package init(scheme: String, user: String) {
        self.scheme = scheme
        self.user = user
    }
    package mutating func walk(_ jute: inout some JuteWalker & ~Copyable) throws(JuteError) {
        try jute.string(&scheme)
        try jute.string(&user)
    }
}
