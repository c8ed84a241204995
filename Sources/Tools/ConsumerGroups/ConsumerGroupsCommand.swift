/// `kafka-consumer-groups`: lists, describes, deletes groups and moves their offsets.
package enum ConsumerGroupsCommand {
    package static func run(_ arguments: [String], world: any ToolWorld) -> Int32 {
        world.warn("kafka-consumer-groups: not in this build")
        return 1
    }
}
