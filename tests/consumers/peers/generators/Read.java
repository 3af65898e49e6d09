import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * Reads documents into generated types, and tells what it read. Words are TOPIC=CLASS. A line is a
 * topic, a tab and JSON; its answer is JSON, or an exclamation mark and why it was not read. Where
 * the class's package has a Converter (quicktype makes one), that reads, else Jackson as it comes.
 */
public final class Read {
    public static void main(String[] words) throws Exception {
        Map<String, Class<?>> types = new HashMap<>();
        for (String word : words) {
            types.put(word.split("=")[0], Class.forName(word.split("=")[1]));
        }
        ObjectMapper mapper = new ObjectMapper();
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var out = new java.io.PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            Class<?> type = types.get(line.substring(0, line.indexOf('\t')));
            String text = line.substring(line.indexOf('\t') + 1);
            try {
                out.println(read(mapper, type, text));
            } catch (Exception error) {
                Throwable why = error.getCause() == null ? error : error.getCause();
                out.println("!" + String.valueOf(why.getMessage()).replaceAll("\\s+", " "));
            }
        }
        out.flush();
    }

    private static Object read(ObjectMapper mapper, Class<?> type, String text) throws Exception {
        Class<?> converter;
        try {
            converter = Class.forName(type.getPackageName() + ".Converter");
        } catch (ClassNotFoundException missing) {
            return mapper.writeValueAsString(mapper.readValue(text, type));
        }
        Object read = converter.getMethod("fromJsonString", String.class).invoke(null, text);
        return converter.getMethod("toJsonString", type).invoke(null, read);
    }
}
