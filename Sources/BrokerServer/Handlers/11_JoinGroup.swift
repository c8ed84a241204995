import Broker
import ConsumerGroups
import KafkaProtocol

extension RequestRouter {
    /// Answered when the group has agreed on a generation.
    func joinGroup(_ request: JoinGroupRequest, _ context: RequestContext, then: @escaping (JoinGroupResponse) -> Void)
    {
        groups.joinGroup(request, version: context.version, from: context.identity, then: then)
    }
}

extension RequestRouter {
    var groups: GroupDriver {
        guard let groups = node.groups else {
            preconditionFailure("a request was served before the broker was assembled")
        }
        return groups
    }
}

extension RequestContext {
    /// As the group's description shows it: Java's text of an address.
    fileprivate var identity: ClientIdentity { ClientIdentity(clientID: clientID, host: "/\(peer.host)") }
}
