import java.math.BigDecimal;

/** Adds the amounts of each word (a comma between them), as BigDecimal or as double: a line each. */
final class Amounts {
    public static void main(String[] words) {
        for (int i = 1; i < words.length; i++) {
            BigDecimal exact = BigDecimal.ZERO;
            double near = 0;
            for (String amount : words[i].split(",")) {
                exact = exact.add(new BigDecimal(amount));
                near += Double.parseDouble(amount);
            }
            System.out.println(words[0].equals("double") ? "" + near : exact.toPlainString());
        }
    }
}
