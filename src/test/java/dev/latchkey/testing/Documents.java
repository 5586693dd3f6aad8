package dev.latchkey.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The README and the documents in {@code src/site/markdown}. */
public final class Documents {
    private static final Path README = Path.of("README.md");
    private static final Path FOLDER = Path.of("src/site/markdown");

    private Documents() {}

    /**
     * A fenced block.
     *
     * @param document name of the file
     * @param heading the closest heading above the block
     * @param language after the opening fence, such as sh
     */
    public record Block(String document, String heading, String language, String text) {
        public String firstLine() {
            return text.lines().findFirst().orElse("");
        }

        @Override
        public String toString() {
            return document + " (" + heading + "): " + firstLine();
        }
    }

    /** Returns the path of every document. */
    public static List<Path> all() throws IOException {
        try (Stream<Path> files = Files.list(FOLDER)) {
            return Stream.concat(Stream.of(README), files.sorted()).toList();
        }
    }

    /** Returns the fenced blocks of all documents, in the order of the documents. */
    public static List<Block> blocks() throws IOException {
        List<Block> blocks = new ArrayList<>();
        for (Path document : all()) {
            blocks.addAll(blocks(document));
        }
        return blocks;
    }

    private static List<Block> blocks(Path document) throws IOException {
        List<Block> blocks = new ArrayList<>();
        String name = document.getFileName().toString();
        String heading = "";
        var lines = Files.readAllLines(document).iterator();
        while (lines.hasNext()) {
            String line = lines.next();
            if (line.startsWith("#")) {
                heading = line.replaceFirst("#+ ", "");
            } else if (line.strip().startsWith("```")) {
                var text = new StringBuilder();
                for (String next = lines.next(); !next.strip().equals("```"); next = lines.next()) {
                    text.append(next).append('\n');
                }
                blocks.add(new Block(name, heading, line.strip().substring(3), text.toString()));
            }
        }
        return blocks;
    }

    /** Returns the texts of the blocks below a heading of a document. There must be as many as expected. */
    public static List<String> blocks(String document, String heading, int expected) throws IOException {
        List<String> texts = blocks().stream()
                .filter(block ->
                        block.document().equals(document) && block.heading().equals(heading))
                .map(Block::text)
                .toList();
        if (texts.size() != expected) {
            throw new IllegalStateException(
                    document + ", " + heading + ": expected " + expected + " blocks, but found " + texts.size());
        }
        return texts;
    }
}
