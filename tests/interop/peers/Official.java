import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.microsoft.signalr.HubConnection;
import com.microsoft.signalr.HubConnectionBuilder;
import io.reactivex.rxjava3.core.Single;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Arrays;

/** Microsoft's client for Java: as official.js, but that it does not come again by itself. */
public class Official {
  private static final Gson GSON = new GsonBuilder().serializeNulls().create();

  private static synchronized void said(Object... words) {
    System.out.println(GSON.toJson(Arrays.asList(words)));
    System.out.flush();
  }

  public static void main(String[] args) throws Exception {
    HubConnection hub = HubConnectionBuilder.create(args[0])
        .withAccessTokenProvider(Single.just(args[1])).build();
    hub.on("executionEvents", event -> said("event", event), JsonElement.class);
    hub.onClosed(error -> said("closed", error == null ? null : error.getMessage()));
    try {
      hub.start().blockingAwait();
    } catch (RuntimeException error) {
      said("not opened", error.getMessage());
      System.exit(0);
    }
    said("open");
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      String[] command = GSON.fromJson(line, String[].class);
      try {
        if (command[0].equals("ask")) {
          hub.invoke("GetBalances", command[1]).blockingAwait();
          said("result", null);
        } else if (command[0].equals("call")) {
          hub.invoke(command[1]).blockingAwait();
          said("result", null);
        } else {
          hub.stop().blockingAwait();
        }
      } catch (RuntimeException error) {
        said("failed", error.getMessage());
      }
    }
    System.exit(0);
  }
}
