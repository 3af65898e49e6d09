// The exposure of every user, as a map that stays right: java -cp 'kafka-clients.jar:...' Latest.java HOST:PORT [--once]
//
// exposure.user.v1 is compacted: read from its beginning it is a table; what comes after that are its changes.
// Needs: org.apache.kafka:kafka-clients. The value is JSON; any JSON library reads it (amounts are texts: BigDecimal).

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;

public class Latest {
    static final String TOPIC = "exposure.user.v1";

    public static void main(String[] arguments) {
        boolean once = arguments.length > 1 && arguments[1].equals("--once");
        Properties settings = new Properties();
        settings.put("bootstrap.servers", arguments[0]);
        // Headroom writes in transactions; what was aborted is not for us.
        settings.put("isolation.level", "read_committed");
        settings.put("enable.auto.commit", "false");
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            List<TopicPartition> partitions = consumer.partitionsFor(TOPIC).stream()
                .map(each -> new TopicPartition(TOPIC, each.partition()))
                .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            // By position: the last offsets may hold no record (a transaction's end takes one, too).
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            Map<String, String> users = new HashMap<>();
            boolean whole = false;
            while (true) {
                for (var each : consumer.poll(Duration.ofSeconds(1))) {
                    if (each.value() == null) {
                        users.remove(each.key()); // a tombstone: the last account was deleted
                    } else {
                        users.put(each.key(), each.value());
                    }
                    if (whole) {
                        System.out.println(each.key() + ": " + (each.value() == null ? "gone" : each.value()));
                    }
                }
                if (!whole && ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue())) {
                    whole = true;
                    System.out.println(users.size() + " users");
                    if (once) {
                        return;
                    }
                }
            }
        }
    }
}
