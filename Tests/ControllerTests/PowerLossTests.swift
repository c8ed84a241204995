import ClusterModel
import Testing

@testable import Controller

@Suite("Replicas that lost power")
struct PowerLossTests {
    private func suspect(_ ids: [BrokerID], epoch: BrokerEpoch = 200) -> [LiveBroker] {
        ids.map { LiveBroker(id: $0, epoch: epoch, isSuspect: true) }
    }
    private func asked(_ effects: [ControllerCore.Effect]) -> [BrokerID] {
        effects.compactMap { if case .askLogEnds(let broker, _, _) = $0 { broker } else { nil } }
    }
    private func end(_ epoch: LeaderEpoch, _ offset: Offset) -> [TopicPartition: LogEnd?] {
        [t0: LogEnd(epoch: epoch, offset: offset)]
    }

    @Test("leave their in-sync sets while another member lives") func leave() {
        var (core, epochs) = office([0, 1, 2], [0: [0, 1, 2]])
        core.performed(core.brokersSeen(suspect([0, 1]) + live([2])), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(2, 1, [2]))
    }

    @Test("do not lead while a member that lost nothing is there, though that one was away too") func behindTrusted() {
        var (core, epochs) = office([0, 1, 2], [0: [0, 1, 2]])
        core.performed(core.brokersSeen(suspect([0, 1]) + live([2], epoch: 300)), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(2, 1, [2]))
    }

    @Test("are all asked, and the longest log leads alone") func longest() {
        var (core, epochs) = office([0, 1, 2], [0: [0, 1, 2]])
        let effects = core.performed(core.brokersSeen(suspect([0, 1, 2])), epochs: &epochs)
        #expect(asked(effects) == [0, 1, 2])
        #expect(core.state("t", 0) == LeaderAndInSync(0, 0, [0, 1, 2]))
        core.performed(core.logEndsHeard(end(0, 100), of: 0, in: 200), epochs: &epochs)
        core.performed(core.logEndsHeard(end(0, 120), of: 2, in: 200), epochs: &epochs)
        #expect(core.state("t", 0)?.leaderEpoch == 0)
        let last = core.performed(core.logEndsHeard(end(0, 119), of: 1, in: 200), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(2, 1, [2]))
        #expect(
            last.contains { if case .tell(.logsCompared(_, _, leader: 2)) = $0 { true } else { false } })
    }

    @Test("are judged by who wrote their last record before by its offset, also outside the set") func byEpoch() {
        var (core, epochs) = office([0, 1], [0: [0, 1, 2]])
        core.performed(core.brokersSeen(suspect([0, 1]) + live([2])), epochs: &epochs)
        #expect(core.state("t", 0)?.inSync == [0, 1])
        core.performed(core.logEndsHeard(end(4, 500), of: 0, in: 200), epochs: &epochs)
        core.performed(core.logEndsHeard(end(4, 400), of: 1, in: 200), epochs: &epochs)
        core.performed(core.logEndsHeard(end(5, 450), of: 2, in: 100), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(2, 1, [2]))
    }

    @Test("wait for a member that is down, and follow it when it has lost nothing") func waits() {
        var (core, epochs) = office([0, 1], [0: [0, 1]])
        core.performed(core.brokersSeen([]), epochs: &epochs)
        let effects = core.performed(core.brokersSeen(suspect([0])), epochs: &epochs)
        #expect(asked(effects) == [])
        #expect(core.state("t", 0) == LeaderAndInSync(.none, 1, [0, 1]))
        core.performed(core.brokersSeen(suspect([0]) + live([1], epoch: 300)), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(1, 2, [1]))
    }

    @Test("wait for all replicas where the set is smaller than what acknowledged records had") func smallSet() {
        var (core, epochs) = office([0, 1], [0: [0, 1]])
        core.performed(
            core.electionRulesChanged("t", to: ElectionRules(minInSync: 2)), epochs: &epochs)
        // Broker 0 is cut off, and its power failed before its session ended: nobody knows when 1 leaves the set.
        core.performed(core.brokersSeen(live([0])), epochs: &epochs)
        core.performed(core.brokersSeen([]), epochs: &epochs)
        #expect(core.state("t", 0)?.inSync == [0])
        let effects = core.performed(core.brokersSeen(suspect([0])), epochs: &epochs)
        #expect(asked(effects) == [])
        #expect(effects.contains(.tell(.waitsBehindPowerLoss(t0, inSync: [0], for: [1]))))
        #expect(core.performed(core.brokersSeen(suspect([0])), epochs: &epochs) == [])
        let back = core.performed(core.brokersSeen(suspect([0]) + live([1], epoch: 300)), epochs: &epochs)
        #expect(asked(back) == [0, 1])
        core.performed(core.logEndsHeard(end(0, 173), of: 0, in: 200), epochs: &epochs)
        core.performed(core.logEndsHeard(end(0, 182), of: 1, in: 300), epochs: &epochs)
        #expect(core.state("t", 0)?.leader == 1)
    }

    @Test("lead without waiting where an operator or the topic allows an unclean election") func unclean() {
        for byOperator in [true, false] {
            var (core, epochs) = office([0, 1], [0: [0, 1]])
            core.performed(core.brokersSeen([]), epochs: &epochs)
            core.performed(core.brokersSeen(suspect([0])), epochs: &epochs)
            let effects =
                byOperator
                ? core.electionAsked(request: 1, .unclean, [t0])
                : core.electionRulesChanged("t", to: ElectionRules(uncleanElection: true))
            #expect(asked(effects) == [0])
            let all = core.performed(core.logEndsHeard(end(0, 9), of: 0, in: 200), epochs: &epochs)
            #expect(core.state("t", 0) == LeaderAndInSync(0, 2, [0]))
            let answer = ControllerCore.Effect.answerElection(
                request: 1, [.init(partition: t0, verdict: .elected)])
            #expect(all.contains(answer) == byOperator)
        }
    }

    @Test("serve again where they hold the only copy, and the journal says what that means") func onlyCopy() {
        var (core, epochs) = office([0], [0: [0]])
        let effects = core.performed(core.brokersSeen(suspect([0])), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(0, 1, [0]))
        #expect(effects.contains(.tell(.onlyCopySuspect(t0, 0))))
    }

    @Test("are asked again in each life, and a failed directory is no candidate") func askedAgain() {
        var (core, epochs) = office([0, 1], [0: [0, 1]])
        core.performed(core.brokersSeen(suspect([0, 1])), epochs: &epochs)
        core.performed(core.logEndsHeard(end(0, 100), of: 0, in: 200), epochs: &epochs)
        let again = core.performed(core.brokersSeen(suspect([0], epoch: 300) + suspect([1])), epochs: &epochs)
        #expect(asked(again) == [0])
        #expect(core.logEndsHeard(end(0, 100), of: 0, in: 200) == [])
        core.performed(core.logEndsHeard(end(0, 90), of: 0, in: 300), epochs: &epochs)
        let failed: [TopicPartition: LogEnd?] = [t0: LogEnd?.none]
        core.performed(core.logEndsHeard(failed, of: 1, in: 200), epochs: &epochs)
        // The other one may hold more, and is not lost for ever.
        #expect(core.state("t", 0) == LeaderAndInSync(.none, 1, [0, 1]))
    }

    @Test("are in sync again once their leader has seen them catch up, and stay so for the next controller")
    func rejoin() {
        var (core, epochs) = office([0, 1], [0: [0, 1]])
        core.performed(core.brokersSeen(suspect([0]) + live([1])), epochs: &epochs)
        let ask = InSyncAsk(partition: t0, leaderEpoch: 1, inSync: [(1, 100), (0, 200)], partitionEpoch: 1)
        core.performed(core.inSyncChangeAsked(request: 1, [ask]), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(1, 1, [0, 1]))
        guard let recorded = core.view[t0]?.recorded else { Issue.record("no state"); return }
        var next = ControllerCore(epoch: 4)
        var contents = ControllerCore.TreeContents()
        contents.brokers = suspect([0]) + live([1])
        contents.topics = ["t": TopicContents(id: someID, partitions: [0: [0, 1]])]
        contents.states = [t0: ReadState(recorded: recorded, writtenAt: 700)]
        next.performed(next.elected(contents), epochs: &epochs)
        #expect(next.state("t", 0) == LeaderAndInSync(1, 1, [0, 1]))
    }
}

@Suite("An election that an operator asks for")
struct ElectionsTests {
    private func verdicts(_ effects: [ControllerCore.Effect]) -> [ElectionAnswer.Verdict] {
        effects.flatMap { effect -> [ElectionAnswer.Verdict] in
            guard case .answerElection(_, let answers) = effect else { return [] }
            return answers.map(\.verdict)
        }
    }

    @Test("gives a partition back to its preferred leader, or says why not") func preferred() {
        var (core, epochs) = office([0, 1], [0: [0, 1], 1: [1, 0]])
        core.performed(core.brokersSeen(live([1])), epochs: &epochs)
        let partitions = [t0, TopicPartition("t", 1), TopicPartition("x", 0)]
        var effects = core.performed(core.electionAsked(request: 1, .preferred, partitions), epochs: &epochs)
        #expect(verdicts(effects) == [.preferredNotAvailable, .notNeeded, .unknownPartition])
        core.performed(core.brokersSeen(live([1]) + live([0], epoch: 200)), epochs: &epochs)
        let ask = InSyncAsk(partition: t0, leaderEpoch: 1, inSync: [(1, 100), (0, 200)], partitionEpoch: 1)
        core.performed(core.inSyncChangeAsked(request: 9, [ask]), epochs: &epochs)
        effects = core.performed(core.electionAsked(request: 2, .preferred, [t0]), epochs: &epochs)
        #expect(verdicts(effects) == [.elected])
        #expect(core.state("t", 0) == LeaderAndInSync(0, 2, [0, 1]))
    }

    @Test("unclean: chooses whoever is there, only where nobody leads, and once") func unclean() {
        var (core, epochs) = office([0, 1], [0: [0, 1]])
        core.performed(core.brokersSeen(live([0])), epochs: &epochs)
        core.performed(core.brokersSeen(live([1], epoch: 200)), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(.none, 2, [0]))
        var effects = core.performed(core.electionAsked(request: 1, .unclean, [t0]), epochs: &epochs)
        #expect(verdicts(effects) == [.elected])
        #expect(core.state("t", 0)?.leader == 1)
        #expect(core.state("t", 0)?.recovering == true)
        effects = core.performed(core.electionAsked(request: 2, .unclean, [t0]), epochs: &epochs)
        #expect(verdicts(effects) == [.notNeeded])
        core.performed(core.brokersSeen([]), epochs: &epochs)
        effects = core.performed(core.electionAsked(request: 3, .unclean, [t0]), epochs: &epochs)
        #expect(verdicts(effects) == [.nobodyEligible])
        core.performed(core.brokersSeen(live([0], epoch: 300)), epochs: &epochs)
        // What was asked for once is not done later.
        #expect(core.state("t", 0)?.leader == BrokerID.none)
    }

    @Test("a topic that allows unclean elections gets one when its config says so, or the cluster's") func byConfig() {
        for ofCluster in [true, false] {
            var (core, epochs) = office([0, 1], [0: [0, 1]])
            core.performed(core.brokersSeen(live([0])), epochs: &epochs)
            core.performed(core.brokersSeen(live([1], epoch: 200)), epochs: &epochs)
            let allowing = ElectionRules(uncleanElection: true)
            core.performed(
                ofCluster ? core.electionRulesChanged(to: allowing) : core.electionRulesChanged("t", to: allowing),
                epochs: &epochs)
            #expect(core.state("t", 0)?.leader == 1)
        }
    }

    @Test("a failed log directory is asked about, and its partitions get other leaders") func logDirs() {
        var (core, epochs) = office([0, 1], [0: [0, 1]])
        let effects = core.logDirEventsSeen([("log_dir_event_0", 0), ("log_dir_event_1", nil)])
        #expect(
            effects == [
                .tell(.logDirFailed(0, partitions: 1)), .removeLogDirEvents(["log_dir_event_0", "log_dir_event_1"]),
            ])
        #expect(core.takeAnnouncements().first?.broker == 0)
        core.performed(core.replicasFailed([t0], on: 0), epochs: &epochs)
        #expect(core.state("t", 0) == LeaderAndInSync(1, 1, [1]))
        core.performed(core.brokersSeen(live([0], epoch: 200) + live([1])), epochs: &epochs)
        #expect(core.view[t0]?.failedReplicas == [])
    }
}
